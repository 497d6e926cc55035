"""Voice activity: the probability that each 32 ms frame is speech (Silero VAD, MIT).

The packaged "sequence" model takes all frames of a message in one call, which releases the
interpreter while it computes; one model serves every stream, each with its own state.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from services.runtime.audio.pcm import Float32
from services.runtime.weights import package_files

FRAME = 512
"""Samples a frame at 16 kHz (32 ms)."""
_CONTEXT = 64
"""Samples of the frame before that the model sees again."""
_STATE = (1, 1, 128)
_FRAMES_A_CALL = 512


class SileroVad:
    """The model, shared by all streams."""

    def __init__(self, model: Path | None = None) -> None:
        """Loads the model from a file; None takes the packaged one.

        Raises:
            ResourceMissing: The package silero-vad is not installed.
        """
        if model is None:
            package = package_files(
                "silero_vad", "install it with `pip install --no-deps silero-vad`"
            )
            model = package / "data" / "silero_vad_16k_sequence.onnx"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The model's export leaves unused initialisers, a warning each.
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def stream(self) -> VadStream:
        """A fresh stream."""
        return VadStream(self._session)


class VadStream:
    """The voice activity of one stream of audio. Not for use from two threads at once."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._h = np.zeros(_STATE, dtype=np.float32)
        self._c = np.zeros(_STATE, dtype=np.float32)
        self._context = np.zeros(_CONTEXT, dtype=np.float32)
        self._rest = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Float32) -> Float32:
        """The speech probabilities of the frames that `samples` (mono, 16 kHz) complete.

        Returns:
            float32 [frames]; samples that fill no frame wait for the next call.
        """
        self._rest = np.concatenate((self._rest, samples))
        found: list[Float32] = []
        while len(self._rest) >= FRAME:
            count = min(len(self._rest) // FRAME, _FRAMES_A_CALL)
            frames = self._rest[: count * FRAME].reshape(count, FRAME)
            self._rest = self._rest[count * FRAME :]
            found.append(self._run(frames))
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)

    def _run(self, frames: Float32) -> Float32:
        contexts = np.concatenate((self._context[None], frames[:-1, -_CONTEXT:]))
        self._context = frames[-1, -_CONTEXT:].copy()
        probabilities, self._h, self._c = self._session.run(
            None,
            {"input": np.concatenate((contexts, frames), axis=1), "h": self._h, "c": self._c},
        )
        return np.asarray(probabilities, dtype=np.float32).reshape(-1)
