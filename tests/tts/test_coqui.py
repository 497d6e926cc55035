"""Coqui models: the library's own loading and inference, on tiny checkpoints of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from services.runtime.errors import InvalidField, ResourceMissing
from services.tts.engines import coqui
from services.tts.engines.coqui import CoquiSynthesizer
from services.tts.engines.torchaudio_inference import MelSpectrogram, ensure_torchaudio
from services.tts.normalization import Utterance, normalize
from services.tts.speech import Delivery, Reference, Speech, SpeechRequest

# The library warns of its own dependencies' deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


def utterance(text: str) -> Utterance:
    normalized = normalize(text)
    assert normalized is not None
    return normalized


def spoken(result: Speech | Exception) -> Speech:
    assert isinstance(result, Speech), result
    return result


@pytest.fixture(scope="module")
def vits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ensure_torchaudio()
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    folder = tmp_path_factory.mktemp("tiny-vits")
    torch.manual_seed(1)
    config = VitsConfig(
        model_args=VitsArgs(
            hidden_channels=32,
            hidden_channels_ffn_text_encoder=32,
            num_layers_text_encoder=1,
            num_layers_posterior_encoder=1,
            num_layers_flow=1,
            upsample_initial_channel_decoder=32,
            init_discriminator=False,
        ),
        text_cleaner="basic_cleaners",
        use_phonemes=False,
    )
    model = Vits.init_from_config(config)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    model.config.save_json(str(folder / "config.json"))
    return folder


@pytest.fixture(scope="module")
def xtts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ensure_torchaudio()
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder = tmp_path_factory.mktemp("tiny-xtts")
    words = [
        "[STOP]",
        "[START]",
        "[SPACE]",
        "[UNK]",
        "[en]",
        "[zh-cn]",
        *"abcdefghijklmnopqrstuvwxyz.,?!' ",
    ]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(words[:6])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.save(str(folder / "vocab.json"))

    torch.manual_seed(1)
    config = XttsConfig(
        model_args=XttsArgs(
            gpt_layers=1,
            gpt_n_model_channels=32,
            gpt_n_heads=2,
            gpt_max_audio_tokens=24,
            gpt_max_text_tokens=80,
            gpt_num_audio_tokens=34,
            gpt_start_audio_token=32,
            gpt_stop_audio_token=33,
            gpt_use_perceiver_resampler=True,
            decoder_input_dim=32,
            tokenizer_file=str(folder / "vocab.json"),
        )
    )
    model = Xtts.init_from_config(config)
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    model.tokenizer = VoiceBpeTokenizer(vocab_file=folder / "vocab.json")
    model.init_models()
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    config.save_json(str(folder / "config.json"))
    torch.save(
        {
            "Ann": {
                "gpt_cond_latent": torch.randn(1, 32, 32),
                "speaker_embedding": torch.randn(1, 512, 1),
            }
        },
        folder / "speakers_xtts.pth",
    )
    return folder


@pytest.fixture(scope="module")
def vits(vits_folder: Path) -> CoquiSynthesizer:
    return CoquiSynthesizer(str(vits_folder), threads=1)


@pytest.fixture(scope="module")
def xtts(xtts_folder: Path) -> CoquiSynthesizer:
    return CoquiSynthesizer(str(xtts_folder), threads=1)


def test_a_vits_folder_speaks(vits: CoquiSynthesizer) -> None:
    voice = vits.voices[0]

    speech = spoken(vits.synthesize([SpeechRequest(utterance("hello there."), voice.id)])[0])

    assert speech.sample_rate_hz == voice.sample_rate_hz == 22_050
    assert len(speech.samples) > 1000
    assert speech.samples.dtype == np.float32
    assert np.isfinite(speech.samples).all()


def test_vits_repeats_itself_with_a_seed_and_slows_down_on_demand(vits: CoquiSynthesizer) -> None:
    voice = vits.voices[0].id
    text = utterance("tell me about your last project.")

    def say(delivery: Delivery) -> Speech:
        return spoken(vits.synthesize([SpeechRequest(text, voice, delivery)])[0])

    first, again = say(Delivery(seed=7)), say(Delivery(seed=7))
    slow = say(Delivery(speed=0.5, seed=7))

    np.testing.assert_array_equal(first.samples, again.samples)
    assert len(slow.samples) > 1.3 * len(first.samples)


def test_xtts_speaks_with_a_stored_speaker_and_with_a_reference(xtts: CoquiSynthesizer) -> None:
    stored, clone = xtts.voices
    noise = np.random.default_rng(1).normal(0, 0.1, 3 * 22_050).astype(np.float32)
    reference = Reference(noise, 22_050, "digest", None)

    by_name = spoken(xtts.synthesize([SpeechRequest(utterance("hello."), stored.id)])[0])
    by_reference = spoken(
        xtts.synthesize([SpeechRequest(utterance("hello."), clone.id, reference=reference)])[0]
    )

    assert stored.id.endswith("/Ann")
    assert stored.voice_cloning
    assert clone.voice_cloning
    for speech in (by_name, by_reference):
        assert speech.sample_rate_hz == 24_000
        assert len(speech.samples) > 0
        assert np.isfinite(speech.samples).all()


def test_xtts_without_a_voice_says_which_field_is_missing(xtts: CoquiSynthesizer) -> None:
    result = xtts.synthesize([SpeechRequest(utterance("hello."), xtts.voices[-1].id)])[0]

    assert isinstance(result, InvalidField)
    assert result.violations[0][0] == "config.reference_voice"


@pytest.mark.parametrize(("norm", "power"), [("slaney", 2.0), (None, 1.0)])
def test_the_stand_ins_mel_spectrogram_is_librosas(norm: str | None, power: float) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 1_600).astype(np.float32)
    shape: dict[str, Any] = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 40}
    # What librosa 0.11 made of it, which compiles for half a minute first: melspectrogram(
    # sr=16_000, fmax=7_000.0, norm=norm, power=power, htk=True, pad_mode="reflect", **shape).
    theirs = np.load(Path(__file__).with_name("librosa_mel.npz"))[norm or "plain"]

    mine = MelSpectrogram(16_000, f_max=7_000.0, norm=norm, power=power, **shape)

    found = mine(torch.from_numpy(samples)[None])[0].numpy()
    np.testing.assert_allclose(found, theirs, rtol=2e-3, atol=1e-4)


def test_a_missing_model_is_a_start_up_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceMissing, match=r"config\.json"):
        CoquiSynthesizer(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({}))
    with pytest.raises(ResourceMissing, match="no checkpoint"):
        CoquiSynthesizer(str(tmp_path))
    with pytest.raises(ResourceMissing, match="neither a folder nor"):
        CoquiSynthesizer("no-such-model")


class ManyLanguages:
    """An XTTS that knows more languages than it is ever told."""

    class Config(dict[str, Any]):
        __getattr__ = dict.__getitem__

    config = Config(languages=["en", "es", "de", "zh-cn", "ja"])
    speaker_manager = None

    def get_gpt_cond_latents(self) -> None:
        raise AssertionError

    def parameters(self) -> list[Any]:
        return []


class Loaded:
    """What coqui-tts's loader gives."""

    tts_model = ManyLanguages()
    output_sample_rate = 24_000


def test_a_card_lists_only_the_languages_that_the_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "model.pth").touch()
    monkeypatch.setattr(coqui, "_import", lambda: (torch, lambda **_: Loaded()))
    engine = CoquiSynthesizer(str(tmp_path))
    assert engine.model.languages == ("en", "zh-CN")
    assert [voice.languages for voice in engine.voices] == [("en", "zh-CN")]
    assert not engine.voices[0].speaks("de")


def test_a_cuda_device_that_is_not_there_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coqui, "_import", lambda: (torch, None))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ResourceMissing, match="VIVA_TTS_DEVICE is cuda:1, but torch finds 1"):
        CoquiSynthesizer(str(tmp_path), device="cuda:1")
