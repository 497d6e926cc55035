"""All servers in the test's process: cheap engines behind gates, and the real interview."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.interview.server import build as build_interview
from services.interview.settings import InterviewServerSettings
from services.runtime.server import Build
from services.runtime.settings import ServerSettings
from tests.faults.engines import SERVERS, build, settings
from tests.faults.gate import Gate, Position
from tests.faults.methods import until_searching
from tests.faults.serving import Served, served


@dataclass
class Servers:
    """The servers, and the gates of their engines."""

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
    async def models_started(self) -> AsyncIterator[None]:
        """The model servers."""
        async with AsyncExitStack() as stack:
            for name in SERVERS:
                self.running[name] = await stack.enter_async_context(self.started(name))
            try:
                yield
            finally:
                self.open_gates()

    @asynccontextmanager
    async def all_started(self) -> AsyncIterator[None]:
        """The model servers, and the interview's."""
        async with self.models_started(), self.started("interview") as interview:
            self.running["interview"] = interview
            try:
                yield
            finally:
                self.open_gates()


def in_memory() -> dict[str, Any]:
    """Keeps interviews in memory, where there is a choice."""
    return {"store": "memory"} if "store" in InterviewServerSettings.model_fields else {}
