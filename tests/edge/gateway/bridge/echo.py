"""A gRPC server that knows no message type either."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

SERVICE = "test.v1.Echo"
Context = grpc.aio.ServicerContext[bytes, bytes]


@dataclass
class Echo:
    """Its methods, and what has become of them.

    Attributes:
        cancelled: Set when a call of Hang or Flood was cancelled.
        entered: Set when a call has begun.
        flooded: Messages that Flood has written.
        tokens: Authorisations that CheckToken lets in; None: all.
        checked: Those it was asked about.
        address: Where it takes calls.
    """

    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    flooded: int = 0
    tokens: set[str] | None = None
    checked: list[str] = field(default_factory=list)
    checks: asyncio.Event = field(default_factory=asyncio.Event)
    check_failure: grpc.StatusCode | None = None
    address: str = ""

    async def chat(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Says each message again; then how many there were, in the trailers."""
        await context.send_initial_metadata((("x-first", "yes"), ("x-raw-bin", b"\x00\xff")))
        count = 0
        self.entered.set()
        async for request in requests:
            count += 1
            yield request
        context.set_trailing_metadata((("x-count", str(count)),))

    async def headers(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        """The metadata it got, as JSON, and the time that is left."""
        async for _ in requests:
            pass
        metadata = [
            (key, value if isinstance(value, str) else value.hex())
            for key, value in context.invocation_metadata() or ()
        ]
        yield json.dumps({"metadata": metadata, "left": context.time_remaining()}).encode()

    async def fail(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """One message, then an error with a detail."""
        async for request in requests:
            yield request
        context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x03detail"),))
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not that: ü 100%\n")

    async def hang(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Reads and never answers."""
        try:
            self.entered.set()
            async for _ in requests:
                pass
            await asyncio.Event().wait()
            yield b""
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def stuck(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Neither reads nor answers."""
        try:
            self.entered.set()
            await asyncio.Event().wait()
            yield b""
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def flood(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Writes without end, as fast as it may."""
        try:
            while not context.cancelled():
                await context.write(self.flooded.to_bytes(4, "big") + bytes(4092))
                self.flooded += 1
        finally:  # a write to a cancelled call fails in ways of its own
            self.cancelled.set()
        yield b""

    async def burst(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        """Fifty small messages for each."""
        async for request in requests:
            for number in range(50):
                yield request + bytes([number])

    async def check(self, request: bytes, context: Context) -> bytes:
        """Whether the token is one of `tokens`."""
        if self.check_failure is not None:
            await context.abort(self.check_failure, "")
        metadata = dict(context.invocation_metadata() or ())
        token = str(metadata.get("authorization"))
        self.checked.append(token)
        self.checks.set()
        if self.tokens is not None and token not in self.tokens:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")
        return b""


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Echo]:
    """Serves until the scope ends."""
    echo = Echo()
    streams = {
        "Chat": echo.chat,
        "Headers": echo.headers,
        "Fail": echo.fail,
        "Hang": echo.hang,
        "Stuck": echo.stuck,
        "Flood": echo.flood,
        "Burst": echo.burst,
    }
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        name: grpc.stream_stream_rpc_method_handler(method) for name, method in streams.items()
    }
    handlers["CheckToken"] = grpc.unary_unary_rpc_method_handler(echo.check)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 2**23)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    echo.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield echo
    finally:
        await server.stop(0)
