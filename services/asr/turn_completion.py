"""Whether a pause is the end of a turn, by the sound of what was said before it.

Intonation and tempo say more than the length of a silence, and sooner; the model is one signal
beside the words and the silence, and far from always right.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.runtime.errors import ResourceMissing
from services.runtime.weights import package_files

COMPLETION_SECONDS = 8
"""The last seconds of a turn that are judged, its pause included."""
_SAMPLES = COMPLETION_SECONDS * SAMPLE_RATE
_FFT, _HOP = 400, 160
"""Samples of Whisper's frames and between them: 25 and 10 ms."""
_PACKAGED = Path("audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx")

_logger = logging.getLogger(__name__)


class TurnCompletion(Protocol):
    """A model that judges whether turns are complete. For any thread."""

    def probability(self, samples: Float32) -> float:
        """The probability that a turn is complete, 0 to 1.

        Args:
            samples: float32 [n], mono, 16 kHz: the turn up to now, with the first tenths of a
                second of the pause; at most the last eight seconds count.
        """
        ...


class SmartTurn:
    """Smart Turn v3.2: Whisper tiny's encoder with a head that says "complete" or not."""

    def __init__(self, model: Path) -> None:
        """Loads the ONNX model: log-mel features [n, 80, 800] to probabilities."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._filters = FeatureExtractor.get_mel_filters(SAMPLE_RATE, _FFT, n_mels=80)
        self._shape = np.hanning(_FFT + 1)[:-1]

    def probability(self, samples: Float32) -> float:
        """See TurnCompletion."""
        window = np.zeros(_SAMPLES, dtype=np.float32)
        last = samples[-_SAMPLES:]
        window[_SAMPLES - len(last) :] = last
        [probabilities] = self._session.run(None, {"input_features": self._features(window)[None]})
        return float(np.asarray(probabilities).reshape(-1)[0])

    def _features(self, window: Float32) -> Float32:
        """Log-mel features [80, 800] of 8 s as in training.

        Whisper's, of samples of zero mean and unit variance, in double precision: the quantised
        model hears the rounding of single precision (0.15 for 0.35 on one sentence).
        """
        window = (window - window.mean()) / np.sqrt(window.var() + np.float32(1e-7))
        padded = np.pad(window.astype(np.float64), _FFT // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[:-1:_HOP]
        power = np.abs(np.fft.rfft(frames * self._shape)) ** 2
        mel = np.log10(np.maximum(1e-10, self._filters @ power.T))
        features: Float32 = ((np.maximum(mel, mel.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
        return features


def load_turn_completion() -> TurnCompletion | None:
    """The packaged model; None where its package is not installed."""
    try:
        package = package_files("pipecat", "")
    except ResourceMissing:
        _logger.info("no model judges whether turns are complete: pipecat-ai is not installed")
        return None
    return SmartTurn(package / _PACKAGED)
