"""Streams of a session, which end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from prometheus_client import REGISTRY

from services.runtime.channel import open_channel
from services.runtime.errors import Unauthenticated, Unavailable
from services.runtime.server import Build, Service, serving
from services.runtime.settings import ServerSettings
from services.runtime.watching import SessionWatch, watched
from tests.runtime import virtual_time

MINUTE = 60.0


def ended_at(over: float, away: tuple[float, float] = (0.0, 0.0)) -> float:
    """When a stream ends whose session is over at `over`; nobody can say while `away`."""

    async def stream() -> float:
        clock = asyncio.get_running_loop().time

        async def is_live(session: str) -> bool:
            assert session == "s"
            if away[0] <= clock() < away[1]:
                raise Unavailable("the gateway is away")
            return clock() < over

        with pytest.raises(Unauthenticated) as told:
            async with watched(SessionWatch(is_live)("s")):
                await asyncio.Event().wait()
        assert told.value.reason == "SESSION_ENDED"
        return clock()

    return virtual_time.run(stream())


@pytest.mark.parametrize("over", [0.0, 1.0, 29.0, 31.0, 3601.0])
def test_a_stream_is_over_within_the_minute_that_its_session_is(over: float) -> None:
    assert over <= ended_at(over) < over + MINUTE


def test_it_goes_on_while_nobody_can_say_and_no_longer() -> None:
    assert 600 <= ended_at(20.0, away=(10.0, 600.0)) < 600 + MINUTE
    assert ended_at(5000.0, away=(10.0, 600.0)) >= 5000


def test_an_outage_is_told_once_and_the_streams_that_nobody_can_check_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="services.runtime.watching")

    def unchecked() -> float | None:
        return REGISTRY.get_sample_value("viva_sessions_unchecked")

    async def streams() -> None:
        away = False

        async def is_live(_: str) -> bool:
            if away:
                raise Unavailable("the gateway is away")
            return True

        watch = SessionWatch(is_live)
        running = [asyncio.create_task(watch("s")) for _ in range(3)]
        for outage in (1, 2):
            await asyncio.sleep(100)
            assert unchecked() == 0
            away = True
            await asyncio.sleep(100)
            assert unchecked() == len(running)
            # It is the same outage though one leaves in it, and another comes.
            running.pop().cancel()
            running.append(asyncio.create_task(watch("s")))
            await asyncio.sleep(100)
            assert unchecked() == len(running)
            told = [record.levelname for record in caplog.records]
            assert told == ["WARNING", "INFO"] * (outage - 1) + ["WARNING"]
            away = False
        await asyncio.sleep(100)
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    virtual_time.run(streams())
    assert unchecked() == 0
    assert [record.getMessage() for record in caplog.records] == [
        "sessions cannot be checked",
        "sessions can be checked again",
    ] * 2


def test_an_outage_is_told_though_everybody_had_left_in_the_one_before(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="services.runtime.watching")

    async def streams() -> None:
        away = True

        async def is_live(_: str) -> bool:
            if away:
                raise Unavailable("the gateway is away")
            return True

        watch = SessionWatch(is_live)
        for _ in range(2):
            left = asyncio.create_task(watch("s"))
            await asyncio.sleep(100)
            left.cancel()
            await asyncio.sleep(24 * 3600)
        away = False
        stays = asyncio.create_task(watch("s"))
        await asyncio.sleep(100)
        stays.cancel()
        await asyncio.gather(left, stays, return_exceptions=True)

    virtual_time.run(streams())
    told = [record.getMessage() for record in caplog.records]
    assert told == [*2 * ["sessions cannot be checked"], "sessions can be checked again"]


async def test_a_scope_that_is_done_is_left_as_ever_and_its_watch_with_it() -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def watching() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with watched(watching()):
        await began.wait()
    assert stopped.is_set()
    with pytest.raises(TimeoutError, match="its own"):
        async with watched(watching()):
            raise TimeoutError("its own")


async def test_who_is_cancelled_stays_cancelled() -> None:
    async def works() -> None:
        async with watched(asyncio.Event().wait()):  # type: ignore[arg-type]
            await asyncio.Event().wait()

    task = asyncio.create_task(works())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Endless:
    """Answers for ever; its watch ends when it is told to."""

    def __init__(self) -> None:
        self.over, self.answering, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(self, request: BytesValue, context: object) -> AsyncIterator[BytesValue]:
        try:
            while True:
                self.answering.set()
                yield BytesValue(value=bytes(2**20))
        finally:
            self.closed.set()

    async def watch(self, session: str) -> None:
        assert session == "s"
        await self.over.wait()
        raise Unauthenticated("SESSION_ENDED", "over")

    def register(self, server: grpc.aio.Server) -> None:
        handler = grpc.unary_stream_rpc_method_handler(
            self.answer,
            request_deserializer=BytesValue.FromString,
            response_serializer=BytesValue.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("test.Endless", {"Answer": handler})]
        )


def build(endless: Endless) -> Build:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Sequence[Service]]:
        yield [Service("test.Endless", endless.register, watch=endless.watch)]

    return opened


@pytest.mark.parametrize("session", ["s", None])
async def test_a_stream_that_nobody_reads_ends_too_if_it_is_a_sessions(session: str | None) -> None:
    endless = Endless()

    async def read_out(call: Any) -> None:
        while isinstance(await call.read(), bytes):
            pass

    async with (
        serving(
            ServerSettings(port=0, lame_duck_seconds=0, drain_seconds=0), "test", build(endless)
        ) as running,
        open_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        metadata = (("x-viva-session", session),) if session else ()
        call = channel.unary_stream("/test.Endless/Answer", None, None)(
            b"", metadata=metadata, timeout=30
        )
        await endless.answering.wait()
        endless.over.set()
        if session is None:
            assert isinstance(await call.read(), bytes)
            assert not endless.closed.is_set()
            call.cancel()
            return
        await endless.closed.wait()
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await read_out(call)
        assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
