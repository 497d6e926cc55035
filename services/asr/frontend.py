"""From the bytes of a stream to samples and speech probabilities."""

from __future__ import annotations

from viva.serving.v1 import serving_pb2

from services.asr.denoising import SpectralGate
from services.asr.engines.engine import SAMPLE_RATE
from services.asr.session import Heard
from services.asr.vad import VadStream
from services.runtime.audio import pcm
from services.runtime.audio.decoding import file_kind
from services.runtime.errors import InvalidField


class FrontEnd:
    """One stream's decoding, mixing, resampling, denoising and voice activity."""

    def __init__(
        self, audio_format: serving_pb2.AudioFormat, vad: VadStream, *, denoise: bool
    ) -> None:
        """Takes raw samples as `audio_format` says; it must have a sample rate."""
        self._floats = audio_format.encoding == serving_pb2.AUDIO_ENCODING_PCM_F32LE
        self._channels = audio_format.channels if audio_format.HasField("channels") else 1
        self._frame_bytes = (4 if self._floats else 2) * self._channels
        self._resampler = pcm.StreamResampler(audio_format.sample_rate_hz, SAMPLE_RATE)
        self._gate = SpectralGate() if denoise else None
        self._vad = vad
        self._begun = False

    def check(self, audio: bytes) -> None:
        """Refuses audio that is no whole number of sample frames, or that begins as a file does.

        Raises:
            InvalidField: Naming `audio`, or `config.format.encoding`.
        """
        if not self._begun:
            self._begun = True
            if kind := file_kind(audio):
                raise InvalidField(
                    "config.format.encoding",
                    f"says raw samples, but the audio begins as {kind} does; send the samples"
                    " alone, or the whole file to Recognize",
                )
        if len(audio) % self._frame_bytes:
            raise InvalidField(
                "audio",
                f"{len(audio)} bytes are no whole number of sample frames"
                f" of {self._frame_bytes} bytes",
            )

    def feed(self, audio: bytes) -> Heard:
        """Takes the next bytes. It computes: call it off the event loop."""
        read = pcm.float_from_f32le if self._floats else pcm.float_from_s16le
        return self._hear(pcm.mono(read(audio), self._channels), last=False)

    def flush(self) -> Heard:
        """What the filters still hold at the end of the stream."""
        return self._hear(pcm.float_from_s16le(b""), last=True)

    def _hear(self, samples: pcm.Float32, *, last: bool) -> Heard:
        samples = self._resampler.feed(samples, last=last)
        if self._gate is not None:
            samples = self._gate.feed(samples, last=last)
        return Heard(samples, self._vad.feed(samples))
