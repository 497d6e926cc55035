"""Noise of any kind turned down by a small neural network, on a stream.

GTCRN (Rong et al., ICASSP 2024): 48 thousand parameters, causal, a spectrum of 512 samples every
256. Speech of other people in the room is noise to it too, as far as it can tell.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from services.asr.engines.engine import Float32

_WINDOW = 512
_HOP = 256
_CACHES = {
    "conv_cache": (2, 1, 16, 16, 33),
    "tra_cache": (2, 3, 1, 1, 16),
    "inter_cache": (2, 1, 33, 16),
}


class Gtcrn:
    """The model, shared by all streams."""

    def __init__(self, model: Path) -> None:
        """Loads the streaming ONNX model: one spectrum in, one out, and three caches."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def stream(self) -> GtcrnStream:
        """A fresh stream."""
        return GtcrnStream(self._session)


class GtcrnStream:
    """Denoises a 16 kHz mono stream; output is aligned with input, 16 to 32 ms later."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._caches = {name: np.zeros(shape, dtype=np.float32) for name, shape in _CACHES.items()}
        # A square-root Hann window, used twice, adds up to 1 at half a window's hop.
        self._shape = np.sqrt(np.hanning(_WINDOW + 1)[:-1]).astype(np.float32)
        self._pending = np.zeros(_WINDOW - _HOP, dtype=np.float32)
        self._overlap = np.zeros(_HOP, dtype=np.float32)
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
            piece = self._enhanced(pending[position : position + _WINDOW])
            out.append(self._overlap + piece[:_HOP])
            self._overlap = piece[_HOP:]
            position += _HOP
        self._pending = pending[position:]
        denoised = np.concatenate(out) if out else np.zeros(0, dtype=np.float32)
        skipped = min(self._skip, len(denoised))
        self._skip -= skipped
        denoised = denoised[skipped:][: self._owed]
        self._owed -= len(denoised)
        return denoised

    def _enhanced(self, piece: Float32) -> Float32:
        spectrum = np.fft.rfft(piece * self._shape)
        mix = np.stack((spectrum.real, spectrum.imag), axis=-1).astype(np.float32)
        enhanced, *caches = self._session.run(None, {"mix": mix[None, :, None], **self._caches})
        self._caches = dict(zip(_CACHES, caches, strict=True))
        parts: npt.NDArray[np.float32] = enhanced[0, :, 0]
        samples = np.fft.irfft(parts[:, 0] + 1j * parts[:, 1], _WINDOW)
        return (samples * self._shape).astype(np.float32)
