"""From the chunks of a stream to samples and speech probabilities."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from viva.serving.v1 import serving_pb2

from services.asr.engines.engine import SAMPLE_RATE, Float32
from services.asr.enhancement import Filter
from services.asr.stream_input import Heard
from services.asr.vad import VadStream
from services.runtime.audio import pcm
from services.runtime.audio.decoding import RAW_ENCODINGS, file_kind
from services.runtime.errors import InvalidField
from services.runtime.stats import seconds

_HEADER_BYTES = 36
"""By so many bytes every known kind of file can be told."""
_SILENCE_SECONDS = 10
"""A long gap is heard in pieces of this length."""

Piece: TypeAlias = bytes | int
"""Raw samples, or the sample frames of a silence."""


class FrontEnd:
    """One stream's timeline, decoding, mixing, resampling, enhancement and voice activity."""

    def __init__(
        self,
        audio_format: serving_pb2.AudioFormat,
        vad: VadStream,
        enhance: Filter,
        *,
        max_gap: float = 600.0,
    ) -> None:
        """Takes raw samples as `audio_format` says; it must have a sample rate.

        Args:
            audio_format: The samples' shape.
            vad: A fresh voice activity stream.
            enhance: A fresh stream's filters.
            max_gap: The longest gap between two chunks, in seconds.
        """
        encoding = audio_format.encoding or serving_pb2.AUDIO_ENCODING_PCM_S16LE
        self._raw = RAW_ENCODINGS[encoding]
        self._channels = audio_format.channels if audio_format.HasField("channels") else 1
        self._frame_bytes = self._raw.width * self._channels
        self._rate_hz = audio_format.sample_rate_hz
        self._max_gap = max_gap
        self._resampler = pcm.StreamResampler(self._rate_hz, SAMPLE_RATE)
        self._enhance = enhance
        self._vad = vad
        self._head = b""
        """The stream's first bytes: a file's header may come in many small chunks."""
        self._frames = 0

    @property
    def seconds(self) -> float:
        """Up to where the stream has been taken."""
        return self._frames / self._rate_hz

    def place(self, chunk: serving_pb2.AudioChunk) -> list[Piece]:
        """What of a chunk is new, with the silence of the gap before it.

        Raises:
            InvalidField: Naming `audio.audio`, `audio.offset` or `config.format.encoding`: no
                whole number of sample frames, a gap too long, or a file instead of samples.
        """
        audio = chunk.audio
        if len(audio) % self._frame_bytes:
            raise InvalidField(
                "audio.audio",
                f"{len(audio)} bytes are no whole number of sample frames"
                f" of {self._frame_bytes} bytes",
            )
        gap = 0
        if chunk.HasField("offset"):
            gap = round(seconds(chunk.offset) * self._rate_hz) - self._frames
            if gap > self._max_gap * self._rate_hz:
                raise InvalidField(
                    "audio.offset",
                    f"leaves a gap of {gap / self._rate_hz:.1f} s; at most {self._max_gap:g} s are"
                    " bridged: open a new stream",
                )
        audio = audio[max(0, -gap) * self._frame_bytes :]
        self._check_head(audio)
        step = _SILENCE_SECONDS * self._rate_hz
        pieces: list[Piece] = [min(step, gap - done) for done in range(0, gap, step)]
        if audio:
            pieces.append(audio)
        self._frames += max(0, gap) + len(audio) // self._frame_bytes
        return pieces

    def _check_head(self, audio: bytes) -> None:
        if len(self._head) >= _HEADER_BYTES:
            return
        self._head += audio[: _HEADER_BYTES - len(self._head)]
        if kind := file_kind(self._head):
            raise InvalidField(
                "config.format.encoding",
                f"says raw samples, but the audio begins as {kind} does; send the samples alone,"
                " or the whole file to Recognize",
            )

    def hear(self, piece: Piece) -> Heard:
        """Takes the next piece. It computes: call it off the event loop."""
        if isinstance(piece, int):
            return self._hear(np.zeros(piece, dtype=np.float32), last=False)
        return self._hear(pcm.mono(self._raw.read(piece), self._channels), last=False)

    def flush(self) -> Heard:
        """What the filters still hold at the end of the stream."""
        return self._hear(np.zeros(0, dtype=np.float32), last=True)

    def _hear(self, samples: Float32, *, last: bool) -> Heard:
        samples = self._enhance.feed(self._resampler.feed(samples, last=last), last=last)
        return Heard(samples, self._vad.feed(samples))
