"""A candidate for interviews on the real mesh: answers with pauses, spoken by one of its voices."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from viva.serving.v1 import serving_pb2
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.audio.pcm import Float32
from services.runtime.channel import open_channel, outgoing

SYNTHESIS_SECONDS = 120.0
ROOM = 1e-4
"""Of full scale; nowhere a microphone is, is it as quiet as zero."""
_PAUSE = re.compile(r"\|(\d+(?:\.\d+)?)\|")


async def speak(address: str, voice: str, answers: Sequence[str], folder: Path) -> list[Path]:
    """Has answers spoken, and writes them as recordings.

    Args:
        address: The mesh.
        voice: Whose.
        answers: Text; `|0.8|` is a pause of so many seconds.
        folder: Where the recordings go.
    """
    paths = []
    async with open_channel(address) as channel:
        stub = tts_pb2_grpc.TtsServiceStub(channel)
        for number, answer in enumerate(answers, 1):
            parts: list[Float32] = []
            rate = 0
            for text, pause in _parts(answer):
                samples, rate = await _say(stub, voice, text)
                parts += [samples, np.zeros(round(pause * rate), np.float32)]
            spoken = np.concatenate(parts)
            noise = np.random.default_rng(number).normal(0.0, ROOM, spoken.size)
            path = folder / f"{voice}-{number}.wav"
            soundfile.write(path, spoken + noise.astype(np.float32), rate)
            paths.append(path)
    return paths


def written(answer: str) -> str:
    """The answer without its pauses."""
    return _PAUSE.sub("", answer)


def _parts(answer: str) -> Iterator[tuple[str, float]]:
    """Each text with the pause behind it."""
    pieces = _PAUSE.split(answer)
    for text, pause in zip(pieces[::2], [*pieces[1::2], "0"], strict=True):
        yield text, float(pause)


async def _say(
    stub: tts_pb2_grpc.TtsServiceAsyncStub, voice: str, text: str
) -> tuple[Float32, int]:
    """A text as samples without the silence around it, and their rate."""
    request = tts_pb2.SynthesizeRequest(
        text=text,
        config=tts_pb2.SpeechConfig(
            voice=voice,
            format=serving_pb2.AudioFormat(encoding=serving_pb2.AUDIO_ENCODING_FLAC),
            priority=serving_pb2.PRIORITY_BATCH,
        ),
    )
    call = stub.Synthesize(request, **outgoing(SYNTHESIS_SECONDS))
    audio = b"".join([message.chunk.audio async for message in call])
    samples, rate = soundfile.read(io.BytesIO(audio), dtype="float32")
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    return samples[loud[0] : loud[-1] + 1], rate
