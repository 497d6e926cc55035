"""One socket's call, from its first message to its close code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import grpc

from edge.gateway.bridge import metrics
from edge.gateway.bridge.authorization import Authorization
from edge.gateway.bridge.closing import Close, Ended, Gone, malformed
from edge.gateway.bridge.frames import DATA, HEADERS, FrameReader, frame
from edge.gateway.bridge.headers import (
    Metadata,
    passed_on,
    read_block,
    timeout_of,
    trailers,
    write_block,
)
from edge.gateway.bridge.outgoing import Outgoing
from edge.gateway.bridge.seats import Seat
from edge.gateway.bridge.settings import BridgeSettings
from edge.gateway.bridge.tokens import Token
from edge.gateway.bridge.upstream import Call, Upstream

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Kind(IntEnum):
    """The first byte of every client's message after the headers."""

    FRAMES = 0
    HALF_CLOSE = 1
    RENEWAL = 2


# Until a peer has taken the last words; it may be gone without having said so.
_PARTING_SECONDS = 2.0
_CONTENT_TYPE = ("content-type", "application/grpc-web+proto")


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever opened the socket.

    Attributes:
        path: The method, `/package.Service/Method`.
        address: Of the client itself.
        passed: Headers of the upgrade that proxies made, for the server: request id, trace.
    """

    path: str
    address: str
    passed: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Outcome:
    """How it ended, for the log.

    Attributes:
        close: The close code; None when the client was gone first.
        status: gRPC's status; None if the client never saw one.
        up: Messages from the client.
        down: Messages to the client.
    """

    close: Close | None = None
    status: grpc.StatusCode | None = None
    up: int = 0
    down: int = 0


class SocketCall:
    """A call over an accepted socket."""

    def __init__(
        self,
        client: Client,
        seat: Seat,
        receive: Receive,
        send: Send,
        upstream: Upstream,
        settings: BridgeSettings,
    ) -> None:
        """Takes whose it is, ASGI's two functions, and where the call goes."""
        self._client = client
        self._seat = seat
        self._receive = receive
        self._send = send
        self._upstream = upstream
        self._settings = settings
        self._outgoing = Outgoing(settings.buffer_bytes)
        self._authorization: Authorization | None = None
        self._told_headers = False
        self._moved = 0.0
        self._spoken = asyncio.Event()
        self.outcome = Outcome()

    async def run(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Runs the call to its end and closes the socket.

        Args:
            stop: Returns when the socket is to be closed because the bridge stops.
        """
        try:
            ended = await self._bridged(stop)
        except Gone:
            return
        except Exception:
            await self._part(
                Ended(Close.INTERNAL, grpc.StatusCode.INTERNAL, "a fault of the bridge")
            )
            raise
        await self._part(ended)

    async def _bridged(self, stop: Callable[[], Awaitable[None]]) -> Ended | None:
        """Returns why the bridge ended the call; None when the server did.

        Raises:
            Gone: The client did, by going away.
        """
        try:
            headers = await self._hello()
            metadata = self._metadata(headers)
            token = None
            if (authorization := headers.get("authorization")) is not None:
                token = Token.read(authorization)
                self._seat.claim(token.subject)
            seconds = min(self._settings.most_seconds, timeout_of(headers) or float("inf"))
            with self._upstream.call(self._client.path, metadata, seconds) as call:
                await self._both_ways(call, token, stop)
        except Ended as ended:
            return ended
        return None

    async def _hello(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(self._settings.hello_seconds):
                block = await self._next()
        except TimeoutError:
            raise Ended(
                Close.NO_HELLO,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"no headers in {self._settings.hello_seconds:g} s",
            ) from None
        return read_block(
            block,
            max_headers=self._settings.max_headers,
            max_bytes=self._settings.max_header_bytes,
        )

    def _metadata(self, headers: dict[str, str]) -> Metadata:
        proxies = {name for name, _ in self._client.passed}
        told = [each for each in passed_on(headers) if each[0] not in proxies]
        return [*told, *self._client.passed, ("x-forwarded-for", self._client.address)]

    async def _both_ways(
        self, call: Call, token: Token | None, stop: Callable[[], Awaitable[None]]
    ) -> None:
        self._moved = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(self._up(call), name="bridge-up"),
                    tasks.create_task(self._down(call), name="bridge-down"),
                    tasks.create_task(self._begun(), name="bridge-begin"),
                    tasks.create_task(self._idle(), name="bridge-idle"),
                    tasks.create_task(self._nobodys(), name="bridge-nobodys"),
                    tasks.create_task(self._stopped(stop), name="bridge-stop"),
                ]
                if token is not None:
                    self._authorization = Authorization(
                        token,
                        self._upstream,
                        self._client.address,
                        self._settings.recheck_seconds,
                    )
                    others.append(tasks.create_task(self._authorization.watch()))
                await self._deliver()
                for other in others:
                    other.cancel()
        except ExceptionGroup as group:
            raise _first(group) from None

    async def _next(self) -> bytes:
        """The client's next message.

        Raises:
            Gone: There is none.
            Ended: It is text.
        """
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        data = message.get("bytes")
        if data is None:
            raise Ended(
                Close.NOT_BINARY, grpc.StatusCode.INVALID_ARGUMENT, "a text message; send binary"
            )
        self._moved = asyncio.get_running_loop().time()
        return bytes(data)

    async def _up(self, call: Call) -> None:
        """From the client to the server, one message at a time: what it does not take waits."""
        frames = FrameReader(self._settings.max_message_bytes)
        open_ = True
        while True:
            data = await self._next()
            match data[0] if data else None:
                case _Kind.FRAMES if open_:
                    for message in frames.feed(memoryview(data)[1:]):
                        self._spoken.set()
                        self.outcome.up += 1
                        await self._write(call, message)
                case _Kind.HALF_CLOSE if open_:
                    if frames.unfinished:
                        raise malformed("half-closed within a frame")
                    open_ = False
                    self._spoken.set()
                    await self._half_close(call)
                case _Kind.RENEWAL:
                    self._renew(data[1:])
                case _Kind.FRAMES | _Kind.HALF_CLOSE:
                    raise malformed("a message after the half-close")
                case None:
                    raise malformed("an empty message")
                case kind:
                    raise malformed(f"a message of kind {kind}; there are 0, 1 and 2")

    async def _write(self, call: Call, message: bytes) -> None:
        metrics.MESSAGES_UP.inc()
        metrics.BYTES_UP.inc(len(message))
        try:
            async with asyncio.timeout(self._settings.stall_seconds):
                await call.write(message)
        except TimeoutError:
            raise _stalled("the server", self._settings) from None
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The call is over, and its trailers are on their way down; the rest is for nobody.
            return

    async def _half_close(self, call: Call) -> None:
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.done_writing()

    def _renew(self, block: bytes) -> None:
        headers = read_block(block, max_headers=1, max_bytes=self._settings.max_header_bytes)
        offered = headers.get("authorization")
        if offered is None:
            raise malformed("a renewal without authorization")
        if self._authorization is None:
            raise malformed("a renewal where no token was")
        self._authorization.offer(offered)

    async def _down(self, call: Call) -> None:
        """From the server to the buffer; while that is full the server waits."""
        headers = _texts(await call.initial_metadata())
        # A message of their own: clients there are look at what follows a block of headers in one
        # message only when the next message comes.
        await self._transmit(frame(HEADERS, write_block([_CONTENT_TYPE, *headers])))
        self._told_headers = True
        with suppress(grpc.aio.AioRpcError):  # its status follows
            while isinstance(message := await call.read(), bytes):  # else it is grpc.aio's EOF
                self._seat.let_in()
                self._spoken.set()
                self.outcome.down += 1
                metrics.MESSAGES_DOWN.inc()
                metrics.BYTES_DOWN.inc(len(message))
                await self._outgoing.add(frame(DATA, message))
        code = await call.code()
        block = trailers(
            code.value[0], await call.details() or "", _texts(await call.trailing_metadata())
        )
        await self._outgoing.add(frame(HEADERS, block), last=True)
        self.outcome.status = code

    async def _deliver(self) -> None:
        """From the buffer to the client, until nothing follows.

        What comes within a moment of the last message goes as one with what comes after it.
        """
        clock = asyncio.get_running_loop().time
        sent = clock() - self._settings.coalesce_seconds
        last = False
        while not last:
            await self._outgoing.filled()
            early = sent + self._settings.coalesce_seconds - clock()
            if early > 0:
                await asyncio.sleep(early)
            frames, last = self._outgoing.take()
            await self._transmit(frames)
            self._moved = sent = clock()

    async def _transmit(self, frames: bytes) -> None:
        try:
            async with asyncio.timeout(self._settings.stall_seconds):
                await self._tell({"type": "websocket.send", "bytes": frames})
        except TimeoutError:
            raise _stalled("the client", self._settings) from None

    async def _begun(self) -> None:
        """Waits for the first whole message after the headers, of either side.

        Nobody opens a call to say nothing: such sockets are held to keep others out.
        """
        try:
            async with asyncio.timeout(self._settings.begin_seconds):
                await self._spoken.wait()
        except TimeoutError:
            raise Ended(
                Close.NO_HELLO,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"nothing after the headers in {self._settings.begin_seconds:g} s",
            ) from None

    async def _nobodys(self) -> None:
        """Ends a call that no user was found for: without a token, or not answered.

        Few of those may be open at an address, and its neighbours want to open others.
        """
        await asyncio.sleep(self._settings.nobodys_seconds)
        if self._seat.user is None:
            raise Ended(
                Close.NO_HELLO,
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"no user's for {self._settings.nobodys_seconds:g} s",
            )

    async def _idle(self) -> None:
        clock = asyncio.get_running_loop().time
        while (left := self._moved + self._settings.idle_seconds - clock()) > 0:  # noqa: ASYNC110
            # The longest it can be; a message meanwhile makes it longer.
            await asyncio.sleep(left)
        raise Ended(
            Close.IDLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"no message for {self._settings.idle_seconds:g} s",
        )

    async def _stopped(self, stop: Callable[[], Awaitable[None]]) -> None:
        await stop()
        raise Ended(Close.RESTARTING, grpc.StatusCode.UNAVAILABLE, "the bridge restarts")

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:  # uvicorn's ClientDisconnected
            raise Gone from None

    async def _part(self, ended: Ended | None) -> None:
        """Last words: trailers, unless the server's have gone, then the close code."""
        close, reason = (Close.OVER, "") if ended is None else (ended.close, ended.reason)
        self.outcome.close = close
        words = []
        if ended is not None:
            self.outcome.status = ended.status
            if not self._told_headers:
                words.append(frame(HEADERS, write_block([_CONTENT_TYPE])))
            words.append(frame(HEADERS, trailers(ended.status.value[0], ended.reason)))
        with suppress(Gone, TimeoutError):
            async with asyncio.timeout(_PARTING_SECONDS):
                for word in words:
                    await self._tell({"type": "websocket.send", "bytes": word})
                await self._tell({"type": "websocket.close", "code": int(close), "reason": reason})


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What ended a call: a client that is gone counts for more than what else went wrong."""
    for kind in (Gone, Exception):
        for error in group.exceptions:
            if isinstance(error, kind) and not isinstance(error, Ended):
                return error
    return group.exceptions[0]


def _texts(metadata: Any) -> list[tuple[str, str | bytes]]:
    return [(name, value) for name, value in metadata or ()]


def _stalled(who: str, settings: BridgeSettings) -> Ended:
    return Ended(
        Close.STALLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        f"{who} took nothing for {settings.stall_seconds:g} s",
    )
