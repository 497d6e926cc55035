"""Coqui models through coqui-tts: VITS (Kim et al. 2021) and XTTS (Casanova et al. 2024).

A model is a folder with config.json and the checkpoint, or a name the library downloads, such as
tts_models/multilingual/multi-dataset/xtts_v2. It needs torch and the packages of
requirements/coqui.txt.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from services.runtime.audio.pcm import Float32
from services.runtime.device import require
from services.runtime.errors import InvalidField, ResourceMissing
from services.tts.speech import (
    Delivery,
    Gender,
    Model,
    Reference,
    Speech,
    SpeechRequest,
    Voice,
    primary,
)

_REMEDY = "set the engine up with requirements/coqui.sh"
_CLONE = "clone"
_MAX_REFERENCES = 16
# XTTS's own limits of what it conditions on; see XttsConfig.
_REFERENCE_SECONDS = 30


class _Latents(NamedTuple):
    """What XTTS knows of a voice: tensors for its GPT and its decoder."""

    gpt: Any
    speaker: Any


class CoquiSynthesizer:
    """One model and its voices."""

    def __init__(self, model: str, *, threads: int = 2, device: str = "cpu") -> None:
        """Loads a model.

        Args:
            model: A folder, or a name.
            threads: Of torch.
            device: "cpu", "cuda" or "cuda:N".

        Raises:
            ResourceMissing: The packages, the model or the device are not there.
        """
        torch, loader = _import()
        place = require(device, "VIVA_TTS_DEVICE", "torch", torch.cuda.device_count)
        self._cuda_index = place.index if place.kind == "cuda" else None
        torch.set_num_threads(threads)
        checkpoint, config = _locate(model)
        self._torch = torch
        with self._placed():
            self._loaded = loader(
                tts_checkpoint=checkpoint,
                tts_config_path=config,
                use_cuda=self._cuda_index is not None,
            )
        self._tts: Any = self._loaded.tts_model
        self._is_xtts = hasattr(self._tts, "get_gpt_cond_latents")
        self._rate = int(self._loaded.output_sample_rate)
        self._name = Path(model).name if Path(model).exists() else model.rsplit("/", 1)[-1]
        self._latents: OrderedDict[str, _Latents] = OrderedDict()
        self._speakers: dict[str, str | None] = {}
        self._voices = tuple(self._list_voices())
        parameters = sum(p.numel() * p.element_size() for p in self._tts.parameters())
        self._model = Model(
            name=self._name,
            version="",
            engine="coqui",
            device="cpu" if self._cuda_index is None else f"cuda:{self._cuda_index}",
            languages=self._languages(),
            memory_bytes=parameters,
        )

    @property
    def model(self) -> Model:
        """The model."""
        return self._model

    @property
    def voices(self) -> Sequence[Voice]:
        """Its speakers; for XTTS also the one that takes a reference voice."""
        return self._voices

    @property
    def max_batch_size(self) -> int:
        """The library speaks one text at a time."""
        return 1

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        """Speaks each request."""
        return [self._speak(request) for request in requests]

    def _speak(self, request: SpeechRequest) -> Speech | Exception:
        text = request.utterance.text
        with (
            self._placed(),
            self._torch.inference_mode(),
            self._seeded(request.delivery.seed),
        ):
            if self._is_xtts:
                latents = self._voice_latents(request)
                if latents is None:
                    return InvalidField(
                        "config.reference_voice", f"voice {request.voice!r} needs a recording"
                    )
                samples = self._run_xtts(text, request.delivery, latents)
            else:
                samples = self._run_vits(text, request)
        return Speech(samples, self._rate)

    def _run_vits(self, text: str, request: SpeechRequest) -> Float32:
        delivery, own = request.delivery, self._tts.config.model_args
        self._tts.length_scale = own.length_scale / delivery.speed
        noise = 1.0 if delivery.temperature is None else delivery.temperature
        self._tts.inference_noise_scale = (
            own.inference_noise_scale * delivery.timbre_variation * noise
        )
        self._tts.inference_noise_scale_dp = (
            own.inference_noise_scale_dp * delivery.timing_variation
        )
        names = self._tts.language_manager.language_names
        language = names[0] if len(names) > 1 else None
        outputs = self._tts.synthesize(
            text, speaker=self._speakers[request.voice], language=language
        )
        return _samples(outputs["wav"])

    def _run_xtts(self, text: str, delivery: Delivery, latents: _Latents) -> Float32:
        config = self._tts.config
        chosen = {
            "temperature": delivery.temperature,
            "top_k": delivery.top_k,
            "top_p": delivery.top_p,
        }
        sampling = {
            name: config[name] if value is None else value for name, value in chosen.items()
        }
        # A temperature of 0 is the likeliest choice, which the library spells otherwise.
        if sampling["temperature"] == 0:
            sampling = {"do_sample": False}
        outputs = self._tts.inference(
            text,
            _xtts_language(text),
            latents.gpt,
            latents.speaker,
            length_penalty=float(config.length_penalty),
            repetition_penalty=float(config.repetition_penalty),
            speed=delivery.speed,
            **sampling,
        )
        return _samples(outputs["wav"])

    def _voice_latents(self, request: SpeechRequest) -> _Latents | None:
        if request.reference is not None:
            return self._reference_latents(request.reference)
        speaker = self._speakers[request.voice]
        if speaker is None:
            return None
        # Kept as a dictionary of two, under names that changed between releases.
        gpt, embedding = self._tts.speaker_manager.speakers[speaker].values()
        return _Latents(gpt, embedding)

    def _reference_latents(self, reference: Reference) -> _Latents:
        latents = self._latents.get(reference.digest)
        if latents is None:
            config = self._tts.config
            rate = reference.sample_rate_hz
            audio = self._torch.from_numpy(reference.samples[None, : rate * _REFERENCE_SECONDS])
            latents = _Latents(
                self._tts.get_gpt_cond_latents(
                    audio,
                    rate,
                    length=config.gpt_cond_len,
                    chunk_length=config.gpt_cond_chunk_len,
                ),
                self._tts.get_speaker_embedding(audio, rate),
            )
            self._latents[reference.digest] = latents
            if len(self._latents) > _MAX_REFERENCES:
                self._latents.popitem(last=False)
        self._latents.move_to_end(reference.digest)
        return latents

    def _placed(self) -> AbstractContextManager[object]:
        """The library takes whichever CUDA device is the thread's own."""
        if self._cuda_index is None:
            return nullcontext()
        place: AbstractContextManager[object] = self._torch.cuda.device(self._cuda_index)
        return place

    @contextmanager
    def _seeded(self, seed: int | None) -> Iterator[None]:
        if seed is None:
            yield
            return
        with self._torch.random.fork_rng():
            self._torch.manual_seed(seed)
            yield

    def _languages(self) -> tuple[str, ...]:
        """Those that the model is told; it may know more."""
        config = self._tts.config
        names = list(
            getattr(config, "languages", None) or self._tts.language_manager.language_names
        )
        if self._is_xtts:
            names = [name for name in names if name in _XTTS_LANGUAGES]
        return tuple(_tag(name) for name in names[: None if self._is_xtts else 1]) or ("en",)

    def _list_voices(self) -> Iterator[Voice]:
        manager = getattr(self._tts, "speaker_manager", None)
        speakers = list(getattr(manager, "speaker_names", None) or [])
        if not speakers and not self._is_xtts:
            yield self._new_voice(self._name, None)
        for speaker in speakers:
            yield self._new_voice(f"{self._name}/{speaker}", speaker)
        if self._is_xtts:
            yield self._new_voice(f"{self._name}/{_CLONE}", None)

    def _new_voice(self, name: str, speaker: str | None) -> Voice:
        self._speakers[name] = speaker
        what = "Takes on a recorded voice." if self._is_xtts and speaker is None else "A voice."
        return Voice(
            id=name,
            display_name=speaker or self._name,
            description=f"{what} Coqui {'XTTS' if self._is_xtts else 'VITS'}.",
            languages=self._languages(),
            gender=Gender.UNSPECIFIED,
            sample_rate_hz=self._rate,
            voice_cloning=self._is_xtts,
            samples_timbre=not self._is_xtts,
            # A voice that imitates has the level of what it imitates.
            loudness_lufs=_CLONE_LUFS if self._is_xtts and speaker is None else None,
        )


# About what speech recordings have; it cannot be measured before there is one.
_CLONE_LUFS = -20.0


def _import() -> tuple[Any, Any]:
    """The torch module and the library's loader."""
    try:
        import torch

        from services.tts.engines.torchaudio_inference import ensure_torchaudio

        ensure_torchaudio()
        from TTS.utils.synthesizer import Synthesizer
    except ImportError as missing:
        raise ResourceMissing(f"coqui-tts cannot be imported ({missing})", _REMEDY) from None
    return torch, Synthesizer


def _locate(model: str) -> tuple[Path, Path | None]:
    """The checkpoint and the configuration of a folder or a name."""
    folder = Path(model)
    if not folder.exists():
        return _download(model)
    config = folder / "config.json"
    if not config.is_file():
        raise ResourceMissing(f"{folder} has no config.json", "name the folder of a Coqui model")
    if (folder / "vocab.json").is_file() and (folder / "model.pth").is_file():
        # XTTS loads its folder.
        return folder, config
    for name in ("best_model.pth", "model.pth", "model_file.pth"):
        if (folder / name).is_file():
            return folder / name, config
    raise ResourceMissing(f"{folder} has no checkpoint", "it is called best_model.pth or model.pth")


def _download(name: str) -> tuple[Path, Path | None]:
    if name.count("/") != 3 or not name.startswith("tts_models/"):
        raise ResourceMissing(
            f"the Coqui model {name!r} is neither a folder nor a model's name",
            "names look like tts_models/en/vctk/vits",
        )
    from TTS.utils.manage import ModelManager

    if "xtts" in name and os.environ.get("COQUI_TOS_AGREED") != "1":
        raise ResourceMissing(
            f"{name} has a licence that must be accepted",
            "read https://coqui.ai/cpml and set COQUI_TOS_AGREED=1",
        )
    try:
        place, config, _ = ModelManager(progress_bar=False).download_model(name)
    except (OSError, ValueError, KeyError) as error:
        raise ResourceMissing(
            f"the Coqui model {name!r} cannot be downloaded ({type(error).__name__})",
            "put its files into a folder and name that",
        ) from None
    return Path(place), None if config is None else Path(config)


def _samples(wav: Any) -> Float32:
    return np.asarray(wav, dtype=np.float32).reshape(-1)


def _tag(language: str) -> str:
    return "zh-CN" if primary(language) == "zh" else language


_XTTS_ENGLISH, _XTTS_CHINESE = "en", "zh-cn"
_XTTS_LANGUAGES = (_XTTS_ENGLISH, _XTTS_CHINESE)
"""Texts are read out, numbers and all, in these alone; see normalization."""


def _xtts_language(text: str) -> str:
    from services.tts.voices import CHINESE, detect_language

    return _XTTS_CHINESE if detect_language(text) == CHINESE else _XTTS_ENGLISH
