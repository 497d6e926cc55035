"""Streams a recording to a recognition server until it is killed: `ADDRESS WAV`.

It says `speaking` when the server has heard speech, and never ends its stream.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from viva.asr.v1 import asr_pb2, asr_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.runtime.audio import pcm
from services.runtime.channel import open_channel
from tests.asr.audio import read_wav
from tests.asr.calls import chunk

FORMAT = serving_pb2.AudioFormat(sample_rate_hz=16_000)


async def requests(file: Path) -> AsyncIterator[asr_pb2.StreamingRecognizeRequest]:
    config = asr_pb2.StreamingRecognitionConfig(format=FORMAT)
    yield asr_pb2.StreamingRecognizeRequest(config=config)
    samples = read_wav(file)
    for start in range(0, len(samples), 1600):
        yield chunk(pcm.s16le_from_float(samples[start : start + 1600]))
    await asyncio.Event().wait()


async def main(address: str, file: Path) -> None:
    async with open_channel(address) as channel:
        call = asr_pb2_grpc.AsrServiceStub(channel).StreamingRecognize(requests(file))
        async for event in call:
            if event.HasField("speech_started"):
                sys.stdout.write("speaking\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
