"""The servers of the matrix, and what is watched while calls to them go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.interview.server import build as build_interview
from services.interview.settings import InterviewServerSettings
from services.runtime.server import Build
from services.runtime.settings import ServerSettings
from tests.faults.engines import SERVERS, build, settings
from tests.faults.gate import Gate, Position
from tests.faults.methods import until_searching
from tests.faults.serving import Served, Spans, served


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    """Spans of this process, as a collector would get them."""
    watched = Spans()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(watched)
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield watched
    provider.shutdown()


@dataclass
class Servers:
    """All servers in this process: cheap engines, each behind its gate, and the real interview."""

    data_dir: Path
    gates: Mapping[str, Gate] = field(default_factory=lambda: {name: Gate() for name in SERVERS})
    running: dict[str, Served] = field(default_factory=dict)

    def addresses(self) -> dict[str, Any]:
        """Where the interview finds the model servers."""
        return {
            f"{name}_address": f"127.0.0.1:{self.running[name].port}"
            for name in SERVERS
            if name in self.running
        }

    def plan(self, name: str, **more: Any) -> tuple[ServerSettings, Build]:
        """The settings of a server, and what builds it."""
        if name != "interview":
            return settings(**more), build(name, self.gates[name])
        own = {"lame_duck_seconds": 0, "drain_seconds": 5, "port": 0, "data_dir": self.data_dir}
        chosen = InterviewServerSettings(**in_memory() | own | self.addresses() | more)
        return chosen, lambda: build_interview(chosen)

    @asynccontextmanager
    async def started(self, name: str, **more: Any) -> AsyncIterator[Served]:
        """Another server of this name."""
        async with served(name, *self.plan(name, **more)) as running:
            if name == "interview":
                await until_searching(running.channel)
            yield running

    def open_gates(self) -> None:
        """Lets every engine work."""
        for gate in self.gates.values():
            gate.set(Position.OPEN)

    @asynccontextmanager
    async def all_started(self) -> AsyncIterator[None]:
        """One server of each name."""
        async with AsyncExitStack() as stack:
            for name in (*SERVERS, "interview"):
                self.running[name] = await stack.enter_async_context(self.started(name))
            try:
                yield
            finally:
                self.open_gates()


def in_memory() -> dict[str, Any]:
    """Keeps interviews in memory, where there is a choice."""
    return {"store": "memory"} if "store" in InterviewServerSettings.model_fields else {}
