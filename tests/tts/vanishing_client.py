"""Has a text-to-speech server speak a long text until it is killed: `ADDRESS`.

It says `speaking` with the first audio, and never ends its stream.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from viva.tts.v1 import tts_pb2_grpc

from services.runtime.channel import open_channel
from tests.tts.calls import Request, config, text


async def requests() -> AsyncIterator[Request]:
    yield config()
    yield text("a", "This will be cut off in the middle of it all. " * 200)
    await asyncio.Event().wait()


async def main(address: str) -> None:
    async with open_channel(address) as channel:
        call = tts_pb2_grpc.TtsServiceStub(channel).StreamingSynthesize(requests())
        async for message in call:
            if message.chunk.HasField("format"):
                sys.stdout.write("speaking\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
