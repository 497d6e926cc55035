"""Begins a chat and says so for every piece that comes; the test kills it meanwhile.

Arguments: the server's address, the request in hexadecimal digits.
"""

from __future__ import annotations

import asyncio
import sys

from viva.llm.v1 import llm_pb2, llm_pb2_grpc

from services.runtime.channel import open_channel


async def main() -> None:
    request = llm_pb2.ChatRequest.FromString(bytes.fromhex(sys.argv[2]))
    async with open_channel(sys.argv[1]) as channel:
        async for _ in llm_pb2_grpc.LlmServiceStub(channel).Chat(request, timeout=120):
            sys.stdout.write("begun\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
