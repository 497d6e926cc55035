"""Writes down what the microphone hears, or a recording: `python examples/transcribe.py [FILE]`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import grpc
import numpy as np
import soundfile
import soxr

from services.client import Viva


def recording(path: str) -> bytes:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate, 16_000)
    # A second of silence ends the last sentence.
    return (np.concatenate([mono, np.zeros(16_000)]).clip(-1, 1) * 32767).astype("<i2").tobytes()


async def cut(pcm: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(pcm), 3200):
        yield pcm[start : start + 3200]


async def main(path: str | None) -> None:
    if path is None:
        from services.cli.sound_devices import DeviceMicrophone

        pieces: AsyncIterator[bytes] = DeviceMicrophone().chunks()
    else:
        pieces = cut(recording(path))
    async with Viva(os.environ.get("VIVA_ADDRESS", "localhost:7000")) as viva:
        async for heard in viva.recognize(pieces, language="en"):
            if heard.HasField("end_of_turn"):
                print(heard.end_of_turn.text, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:] or [None]))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except soundfile.LibsndfileError as error:
        sys.exit(str(error))
