"""What a caller sees, and what a server is left with, whatever becomes of a call.

Every method stands for its shape of its service; every test is a row of the matrix, and happens
to every method, directly and through Envoy. An engine is held while a call is given up, so that
nothing ends by luck.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.runtime.channel import open_channel
from tests.edge.backend import Mesh, envoy
from tests.faults.calls import ending, finished, whole
from tests.faults.gate import FAULT, Position
from tests.faults.methods import (
    MODEL_METHODS,
    Break,
    Conversations,
    Method,
    Shape,
    each_of,
    interview_methods,
)
from tests.faults.servers import Servers
from tests.faults.serving import Baseline, Served, Spans, tasks
from tests.server_process import GUARD_SECONDS, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

Code = grpc.StatusCode
SHORT_SECONDS = 0.4
"""A deadline that is over while the engine is held."""
CONVERSATIONS = Conversations()
METHODS = (*MODEL_METHODS, *interview_methods(CONVERSATIONS))
WORKING = [method for method in METHODS if method.broken is not Break.IDLE]
ROUTES = ("direct", pytest.param("envoy", marks=pytest.mark.whole))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    found = Servers(tmp_path_factory.mktemp("matrix"))
    async with found.all_started():
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(
    request: pytest.FixtureRequest, servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mesh | None]:
    if not request.config.getoption("--faults"):
        yield None
        return
    ports = {name: [running.port] for name, running in servers.running.items()}
    async with envoy(tmp_path_factory.mktemp("envoy"), ports) as running:
        yield running


@dataclass(frozen=True)
class Stage:
    """A method's server, a channel that leads to it, and what there was before the call."""

    servers: Servers
    channel: grpc.aio.Channel
    before: Baseline

    def gate(self, method: Method, position: Position) -> None:
        """Sets the gate of the engine that the method needs."""
        self.servers.gates[method.engine].set(position)

    async def until_clean(self, method: Method) -> None:
        """States that nothing is left of the call, and that the next one is served."""
        self.servers.open_gates()
        await CONVERSATIONS.end_all(self.channel)
        await self.before.until_clean()
        await until(lambda: self._served(method))
        await self.before.until_clean()

    async def _served(self, method: Method) -> bool:
        """Whether a call is served; a server whose engine broke is not called for a moment."""
        try:
            ended = await whole(method, self.channel)
        except grpc.aio.AioRpcError as error:
            assert_gone(error.code(), str(error.details()))
            return False
        if ended.code != Code.OK:
            assert_gone(ended.code, ended.message)
        return ended.code == Code.OK


def assert_gone(code: grpc.StatusCode, message: str) -> None:
    """States that a call that was not served found nobody there."""
    assert code == Code.UNAVAILABLE, message


@pytest_asyncio.fixture(loop_scope="module", params=ROUTES)
async def stage(
    request: pytest.FixtureRequest, servers: Servers, mesh: Mesh | None, spans: Spans
) -> AsyncIterator[Stage]:
    method: Method = request.node.callspec.params["method"]
    server = servers.running[method.server]
    if mesh is None or request.param == "direct":
        yield Stage(servers, server.channel, Baseline(frozenset(tasks()), spans))
    else:
        await mesh.until_healthy(method.service, server.port)
        async with open_channel(mesh.address) as channel:
            yield Stage(servers, channel, Baseline(frozenset(tasks()), spans))
    servers.open_gates()


@each_of(METHODS)
async def test_ok(method: Method, stage: Stage) -> None:
    ended = await whole(method, stage.channel)
    assert ended.code == Code.OK
    assert ended.answers
    await stage.until_clean(method)


@each_of(WORKING)
async def test_cancel(method: Method, stage: Stage) -> None:
    """The caller goes while the engine works: it is free at once, and the server soon."""
    stage.gate(method, Position.HELD)
    call = await method.begin(stage.channel, GUARD_SECONDS)
    await stage.servers.gates[method.engine].until_waiting()
    call.cancel()
    assert (await ending(call)).code == Code.CANCELLED
    await stage.until_clean(method)


@each_of(WORKING)
async def test_timeout(method: Method, stage: Stage) -> None:
    """The time is over while the engine works."""
    stage.gate(method, Position.HELD)
    call = await method.begin(stage.channel, SHORT_SECONDS)
    assert (await ending(call)).code == Code.DEADLINE_EXCEEDED
    await stage.until_clean(method)


@each_of(METHODS)
async def test_error_of_the_caller(method: Method, stage: Stage) -> None:
    """It is told which field is wrong."""
    ended = await ending(await method.wrong(stage.channel))
    assert (ended.code, ended.reason) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert ended.fields == (method.field,)
    await stage.until_clean(method)


@each_of(WORKING)
async def test_error_of_the_engine(method: Method, stage: Stage) -> None:
    """No caller reads the engine's words; how the method goes on is `Method.broken`."""
    stage.gate(method, Position.BROKEN)
    call = await method.begin(stage.channel, GUARD_SECONDS)
    if method.broken is Break.FAILS:
        ended = await ending(call)
        assert ended.code == Code.INTERNAL
        assert ended.message.startswith("internal error; request id ")
    else:
        told = [await call.read()] if method.broken is Break.TOLD else []
        while method.broken is Break.TOLD and not _tells(told[-1]):
            told.append(await call.read())
        ended = await finished(method, stage.channel, call)
        assert ended.code == Code.OK
        assert FAULT not in repr((told, ended))
    await stage.until_clean(method)


def _tells(answer: Any) -> bool:
    """Whether an answer says that something does not work."""
    if hasattr(answer, "event"):
        return bool(answer.event.HasField("degraded"))
    return bool(answer.done.HasField("error"))


@dataclass(frozen=True)
class Stopping:
    """A server of its own for one test, and a channel that leads to it."""

    server: Served
    channel: grpc.aio.Channel
    direct: bool

    async def refused(self, method: Method) -> None:
        """States that a call that comes now is told to come again."""
        ended = await ending(await method.wrong(self.channel))
        assert ended.code == Code.UNAVAILABLE
        # Envoy has nobody to send it to, and says that much.
        assert ended.reason == "DRAINING" or not self.direct


@pytest_asyncio.fixture(loop_scope="module", params=ROUTES)
async def stopping(
    request: pytest.FixtureRequest, servers: Servers, mesh: Mesh | None
) -> AsyncIterator[Stopping]:
    method: Method = request.node.callspec.params["method"]
    grace: float = request.node.callspec.params.get("grace", 30.0)
    async with servers.started(method.server, drain_seconds=grace) as server:
        if mesh is None or request.param == "direct":
            yield Stopping(server, server.channel, direct=True)
        else:
            mesh.publish(method.server, server.port)
            await mesh.until_healthy(method.service, server.port)
            async with open_channel(mesh.address) as channel:
                yield Stopping(server, channel, direct=False)
            mesh.publish(method.server, servers.running[method.server].port)
        servers.open_gates()


@each_of(WORKING, quick=False)
async def test_shutdown(method: Method, stopping: Stopping, servers: Servers) -> None:
    """What runs is finished, what lives on is told where nothing is cut, what comes is refused."""
    gate = servers.gates[method.engine]
    gate.set(Position.HELD)
    call = await method.begin(stopping.channel, GUARD_SECONDS)
    await gate.until_waiting()
    stopping.server.stop.set()
    await stopping.server.until_refusing()
    await stopping.refused(method)
    gate.set(Position.OPEN)
    ended = await ending(call)
    if method.shape is Shape.BIDI or (method.server == "interview" and method.end):
        assert ended.code == Code.UNAVAILABLE
        assert ended.reason == "DRAINING"
    else:
        assert ended.code == Code.OK
    assert ended.answers
    await stopping.server.stopped_within(GUARD_SECONDS)


@each_of(WORKING, quick=False)
@pytest.mark.parametrize("grace", [0.3])
async def test_shutdown_beyond_the_grace(
    method: Method, grace: float, stopping: Stopping, servers: Servers
) -> None:
    """What an engine never finishes is cut when the grace is over."""
    gate = servers.gates[method.engine]
    gate.set(Position.HELD)
    call = await method.begin(stopping.channel, GUARD_SECONDS)
    await gate.until_waiting()
    stopping.server.stop.set()
    assert (await ending(call)).code == Code.UNAVAILABLE
    servers.open_gates()
    await stopping.server.stopped_within(GUARD_SECONDS)
