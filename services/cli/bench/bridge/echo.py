"""`python -m services.cli.bench.bridge.echo`: a gRPC server of bytes; it prints its port first."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import grpc
import uvloop

SERVICE = "bench.v1.Streams"
_PIECE = bytes(1280)

Context = grpc.aio.ServicerContext[bytes, bytes]


async def _echo(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _flood(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    while True:
        yield _PIECE


async def _serve() -> None:
    handlers = {
        "Echo": grpc.stream_stream_rpc_method_handler(_echo),
        "Flood": grpc.stream_stream_rpc_method_handler(_flood),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(_serve())
