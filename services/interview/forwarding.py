"""Calls about an interview that another orchestrator drives: asked of it, and answered for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from viva.interview.v1 import interview_service_pb2_grpc

from services.interview.leases import HeldElsewhere
from services.interview.store.store import Holder
from services.runtime.channel import open_channel, outgoing
from services.runtime.errors import Draining, Relayed, Unavailable, reasons
from services.runtime.request import current_request

FORWARDED_KEY = "x-viva-forwarded"
"""Marks a call that was forwarded already: it is not forwarded again."""
PING_SECONDS = 1.0
"""A question about its health that a holder does not answer within this has failed."""
PINGS = 2
"""So many must fail, one after the other: then it is taken for gone."""
POLL_SECONDS = 0.2
UNARY_SECONDS = 30.0
STREAM_SECONDS = 24 * 3600.0

ResponseT = TypeVar("ResponseT")
_Context = grpc.aio.ServicerContext[Any, Any]
_STOPPING = Draining.reason


class _Gone(Exception):
    """The holder does not answer."""


class _Stopping(Exception):
    """The holder takes no new calls."""


class _NotThere(Exception):
    """Who answers at the holder's address is another process: of the holder nothing is known."""


class Forwarding:
    """The other orchestrators, as far as they are called."""

    def __init__(self, gone: Callable[[str, Holder], None], handover_seconds: float) -> None:
        """Takes who is told of a holder that does not answer, and how long handing on may take.

        Who calls waits for twice as long.
        """
        self._gone = gone
        self._handover_seconds = handover_seconds
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close(None)

    def _channel(self, holder: Holder) -> grpc.aio.Channel:
        if holder.address not in self._channels:
            self._channels[holder.address] = open_channel(holder.address)
        return self._channels[holder.address]

    async def _require(self, holder: Holder) -> grpc.aio.Channel:
        """A channel to a holder that answers, not to one that is gone, stopped or hung."""
        channel = self._channel(holder)
        for _ in range(PINGS):
            if await _answers(channel):
                return channel
        raise _Gone

    async def unary(
        self,
        method: str,
        request: Any,
        context: _Context,
        answer: Callable[[], Awaitable[ResponseT]],
    ) -> ResponseT:
        """What `answer` gives here, or the holder of the interview there.

        Args:
            method: The service's method, by name.
            request: What is asked.
            context: Of the call.
            answer: Answers it here, or raises HeldElsewhere.

        Raises:
            HeldElsewhere: The call was forwarded already.
            Exception: Whatever `answer` raises, here or there.
        """
        until = _now() + self._handover_seconds
        while True:
            try:
                return await answer()
            except HeldElsewhere as held:
                if _forwarded(context):
                    raise
                try:
                    channel = await self._require(held.holder)
                    stub = getattr(interview_service_pb2_grpc.InterviewServiceStub(channel), method)
                    return await self._asked(stub, request, channel)  # type: ignore[no-any-return]
                except (_Gone, _Stopping, _NotThere) as why:
                    await self._wait(held, until, why)

    async def _asked(self, stub: Any, request: Any, channel: grpc.aio.Channel) -> Any:
        call = stub(request, **_options(UNARY_SECONDS))
        async with _watched(channel, call):
            return await call

    async def _wait(self, held: HeldElsewhere, until: float, why: Exception) -> None:
        """Gives a holder that is stopping time to hand on; after that it counts as gone.

        One that may live where nobody can ask it keeps its interview until its lease runs out.

        Raises:
            Unavailable: That has helped nothing for long.
        """
        late = _now() - until
        if late > self._handover_seconds:
            raise Unavailable("the interview's server does not answer; call again", 0.5)
        match why:
            case _Stopping() if late <= 0:
                pass
            case _Gone() | _Stopping():
                self._gone(held.interview_id, held.holder)
        await asyncio.sleep(POLL_SECONDS)

    async def stream(
        self,
        method: str,
        request: Callable[[], Any],
        context: _Context,
        answer: Callable[[], AsyncGenerator[ResponseT, None]],
    ) -> AsyncGenerator[ResponseT, None]:
        """`unary` for a call that is answered by a stream.

        Args:
            method: The service's method, by name.
            request: Gives what is asked, a message or a stream of them.
            context: Of the call.
            answer: Answers it here, or raises HeldElsewhere before its first answer.

        Raises:
            Unavailable: The holder was lost in mid-stream: calling again finds it here.
        """
        until = _now() + self._handover_seconds
        source: AsyncGenerator[ResponseT, None] | None = answer()
        while source is not None:
            begun, following = False, None
            try:
                async with aclosing(source) as responses:
                    async for response in responses:
                        begun = True
                        yield response
            except HeldElsewhere as held:
                if begun or _forwarded(context):
                    raise
                following = self._held(method, request, held, until, answer)
            source = following

    async def _held(
        self,
        method: str,
        request: Callable[[], Any],
        held: HeldElsewhere,
        until: float,
        answer: Callable[[], AsyncGenerator[ResponseT, None]],
    ) -> AsyncGenerator[ResponseT, None]:
        """The holder's answers; where it does not answer any more, those from here."""
        begun = False
        try:
            channel = await self._require(held.holder)
            stub = getattr(interview_service_pb2_grpc.InterviewServiceStub(channel), method)
            async with aclosing(self._relayed(stub, request(), channel)) as relayed:
                async for response in relayed:
                    begun = True
                    yield response
        except _Gone as why:
            if begun:
                self._gone(held.interview_id, held.holder)
                raise Unavailable("the interview's server is gone; join again", 0.1) from None
            await self._wait(held, until, why)
        except (_Stopping, _NotThere) as why:
            if begun:
                raise Draining from None
            await self._wait(held, until, why)
        else:
            return
        async with aclosing(answer()) as responses:
            async for response in responses:
                yield response

    async def _relayed(
        self, stub: Any, request: Any, channel: grpc.aio.Channel
    ) -> AsyncGenerator[Any, None]:
        call = stub(request, **_options(STREAM_SECONDS))
        async with _watched(channel, call):
            async for response in call:
                yield response


@asynccontextmanager
async def _watched(channel: grpc.aio.Channel, call: Any) -> AsyncGenerator[None, None]:
    """Ends a call with the scope, or with `_Gone` when its server is gone meanwhile."""
    lost = asyncio.Event()
    watching = asyncio.create_task(_watch(channel, call, lost))
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise _judged(error) from error
    except asyncio.CancelledError:
        if lost.is_set():
            raise _Gone from None
        raise
    finally:
        watching.cancel()
        call.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch(channel: grpc.aio.Channel, call: Any, lost: asyncio.Event) -> None:
    """Cancels a call whose server has not answered for some pings."""
    missed, left = 0, PING_SECONDS
    while missed < PINGS:
        await asyncio.sleep(left)
        asked = _now()
        missed = 0 if await _answers(channel) else missed + 1
        left = max(0.0, asked + PING_SECONDS - _now())
    lost.set()
    call.cancel()


async def _answers(channel: grpc.aio.Channel) -> bool:
    try:
        await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=PING_SECONDS
        )
    except grpc.aio.AioRpcError as error:
        return error.code() not in {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        }
    return True


def _now() -> float:
    return asyncio.get_running_loop().time()


def _forwarded(context: _Context) -> bool:
    return any(key == FORWARDED_KEY for key, _ in context.invocation_metadata() or ())


def _options(seconds: float) -> Any:
    options = outgoing(seconds, user=current_request().user or None)
    options["metadata"] = (*options["metadata"], (FORWARDED_KEY, "1"))
    return options


def _judged(error: grpc.aio.AioRpcError) -> Exception:
    """What an error of the holder's means: its own, or that there is no holder any more."""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return Relayed(error)
    told = reasons(error)
    if _STOPPING in told:
        return _Stopping()
    if HeldElsewhere.reason in told:  # handed on meanwhile, or never there
        return _NotThere()
    return Relayed(error) if told else _Gone()
