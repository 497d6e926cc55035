"""What becomes of calls whose connection stalls or breaks: for the caller, and for the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import grpc
import pytest
import pytest_asyncio
from viva.tts.v1 import tts_pb2, tts_pb2_grpc

from services.runtime.channel import open_channel
from tests.faults.calls import ending, whole
from tests.faults.gate import Position
from tests.faults.methods import (
    MODEL_METHODS,
    Break,
    Call,
    Conversations,
    Method,
    Shape,
    each_of,
    interview_methods,
)
from tests.faults.proxy import BOTH, Proxy, Way, proxied
from tests.faults.servers import Servers
from tests.faults.serving import Baseline, Spans, tasks
from tests.server_process import GUARD_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode
SHORT_SECONDS = 0.4
CUTS = (1, 60, 150, 400)
"""Bytes after which a connection is cut: in its preface, headers, and messages."""
CONVERSATIONS = Conversations()
METHODS = (*MODEL_METHODS, *interview_methods(CONVERSATIONS))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("connections"))
    async with found.all_started():
        CONVERSATIONS.undisturbed = found.running["interview"].channel
        yield found


@dataclass(frozen=True)
class Line:
    """A method's server behind a proxy, and what it had before."""

    servers: Servers
    method: Method
    proxy: Proxy
    before: Baseline

    async def until_clean(self) -> None:
        """States that nothing is left of the calls, and that the next one is served."""
        self.servers.open_gates()
        channel = self.servers.running[self.method.server].channel
        await CONVERSATIONS.end_all(channel)
        await self.before.until_clean()
        assert (await whole(self.method, channel)).code == Code.OK
        await self.before.until_clean()


@pytest_asyncio.fixture(loop_scope="module")
async def line(method: Method, servers: Servers, spans: Spans) -> AsyncIterator[Line]:
    before = Baseline(frozenset(tasks()), spans)
    async with proxied(servers.running[method.server].port) as proxy:
        yield Line(servers, method, proxy, before)
    servers.open_gates()


async def begun(line: Line, channel: grpc.aio.Channel) -> Call:
    """A call that the engine is held at."""
    line.servers.gates[line.method.engine].set(Position.HELD)
    call = await line.method.begin(channel, GUARD_SECONDS)
    await line.servers.gates[line.method.engine].until_waiting()
    return call


@each_of(METHODS, quick=False)
@pytest.mark.parametrize("way", Way, ids=lambda way: way.name.lower())
async def test_a_connection_cut_in_mid_message_is_told(line: Line, way: Way) -> None:
    for size in CUTS:
        async with open_channel(line.proxy.address) as channel:
            line.proxy.cut_after(way, size)
            ended = await whole(line.method, channel)
            # What is shorter than that comes through.
            assert ended.code in {Code.UNAVAILABLE, Code.OK}
            line.proxy.mend()
    await line.until_clean()


@each_of([method for method in METHODS if method.broken is not Break.IDLE], quick=False)
async def test_a_connection_that_is_reset_while_the_engine_works_is_told(line: Line) -> None:
    async with open_channel(line.proxy.address) as channel:
        call = await begun(line, channel)
        line.proxy.refuse()
        assert (await ending(call)).code == Code.UNAVAILABLE
        await line.until_clean()


@each_of(METHODS, quick=False)
@pytest.mark.parametrize("ways", [BOTH, {Way.DOWN}], ids=["black-hole", "half-open"])
async def test_a_connection_that_stalls_is_given_up_at_the_deadline(
    line: Line, ways: set[Way]
) -> None:
    """And the server is left clean as soon as the connection ends, if not before."""
    async with open_channel(line.proxy.address) as channel:
        await whole(line.method, channel)
        line.proxy.stall(ways)
        call = await line.method.begin(channel, SHORT_SECONDS)
        assert (await ending(call)).code == Code.DEADLINE_EXCEEDED
        line.proxy.cut()
    await line.until_clean()


@each_of([method for method in METHODS if method.shape is not Shape.UNARY], quick=False)
async def test_a_caller_who_does_not_read_holds_nobody_up(line: Line) -> None:
    """Its answers wait for it, and nobody else does."""
    async with open_channel(line.proxy.address) as channel:
        calls = [await line.method.begin(channel, GUARD_SECONDS) for _ in range(4)]
        other = line.servers.running[line.method.server].channel
        assert (await whole(line.method, other)).code == Code.OK
        for call in calls:
            call.cancel()
        line.proxy.cut()
    await line.until_clean()


async def test_speech_that_nobody_takes_holds_up_no_other_speech(
    servers: Servers, spans: Spans
) -> None:
    before = Baseline(frozenset(tasks()), spans)
    channel = servers.running["tts"].channel
    text = "This is one of many sentences that nobody listens to. " * 300
    async with open_channel(f"127.0.0.1:{servers.running['tts'].port}") as silent:
        call: Call = tts_pb2_grpc.TtsServiceStub(silent).Synthesize(
            tts_pb2.SynthesizeRequest(text=text), timeout=GUARD_SECONDS
        )
        await call.read()
        heard = await whole(next(m for m in METHODS if m.name == "Synthesize"), channel)
        assert heard.code == Code.OK
        call.cancel()
    await before.until_clean()
