"""Noise of many kinds turned down by a small neural network, on a stream.

DTLN (Westhausen and Meyer, Interspeech 2020): two small LSTMs, one masks the spectrum of 512
samples every 128, the other works on the samples. Part of the noisy input stays in: what a denoiser
takes from speech costs Whisper more than the noise it takes away ("observation adding").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from services.asr.engines.engine import Float32

_WINDOW = 512
_HOP = 128
_DENOISED = 0.6
"""The denoised share of the output; with all of it, texts get worse: see docs/asr.md."""
_STATE = (1, 2, 128, 2)


class Dtln:
    """The model, shared by all streams."""

    def __init__(self, folder: Path) -> None:
        """Loads `model_1.onnx` (a spectrum's mask) and `model_2.onnx` (samples to samples)."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._mask, self._samples = (
            onnxruntime.InferenceSession(
                str(folder / f"model_{number}.onnx"),
                sess_options=options,
                providers=["CPUExecutionProvider"],
            )
            for number in (1, 2)
        )

    def stream(self) -> DtlnStream:
        """A fresh stream."""
        return DtlnStream(self._mask, self._samples)


class DtlnStream:
    """Denoises a 16 kHz mono stream; output is aligned with input, 24 to 32 ms later."""

    def __init__(
        self, mask: onnxruntime.InferenceSession, samples: onnxruntime.InferenceSession
    ) -> None:
        self._mask, self._samples = mask, samples
        self._inputs = [[i.name for i in session.get_inputs()] for session in (mask, samples)]
        self._states = [np.zeros(_STATE, dtype=np.float32) for _ in range(2)]
        self._pending = np.zeros(_WINDOW - _HOP, dtype=np.float32)
        self._overlap = np.zeros(_WINDOW, dtype=np.float32)
        self._skip = _WINDOW - _HOP
        self._owed = 0

    def feed(self, samples: Float32, *, last: bool = False) -> Float32:
        """The next samples, denoised; `last` flushes the rest."""
        self._owed += len(samples)
        if last:
            samples = np.concatenate((samples, np.zeros(_WINDOW, dtype=np.float32)))
        pending = np.concatenate((self._pending, samples))
        out: list[Float32] = []
        position = 0
        while position + _WINDOW <= len(pending):
            piece = pending[position : position + _WINDOW]
            self._overlap += self._denoised(piece)
            out.append(_DENOISED * self._overlap[:_HOP] + (1 - _DENOISED) * piece[:_HOP])
            self._overlap = np.concatenate((self._overlap[_HOP:], np.zeros(_HOP, np.float32)))
            position += _HOP
        self._pending = pending[position:]
        mixed = np.concatenate(out) if out else np.zeros(0, dtype=np.float32)
        skipped = min(self._skip, len(mixed))
        self._skip -= skipped
        mixed = mixed[skipped:][: self._owed]
        self._owed -= len(mixed)
        return mixed

    def _denoised(self, piece: Float32) -> Float32:
        spectrum = np.fft.rfft(piece)
        mask = self._run(0, np.abs(spectrum))
        return self._run(1, np.fft.irfft(spectrum * mask, _WINDOW))

    def _run(self, number: int, values: npt.NDArray[np.floating]) -> Float32:
        session = (self._mask, self._samples)[number]
        names = self._inputs[number]
        inputs = (values.astype(np.float32)[None, None], self._states[number])
        result, self._states[number] = session.run(None, dict(zip(names, inputs, strict=True)))
        return np.asarray(result, dtype=np.float32).reshape(-1)
