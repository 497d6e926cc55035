"""An interview server between proxies, with candidates in front and cheap model servers behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tests.faults.candidate import Candidate
from tests.faults.engines import SERVERS
from tests.faults.gate import Position
from tests.faults.proxy import Proxy, Way, proxied
from tests.faults.servers import Servers
from tests.faults.serving import Served
from tests.faults.tones import WORDS


class Fault(Enum):
    """What happens to a model server."""

    HANGS = "its engine never answers"
    FAILS = "its engine raises"
    REFUSES = "nobody listens: connections are closed, and new ones too"
    BLACK_HOLE = "nothing comes through, and nothing is closed"
    HALF_OPEN = "it hears, and is not heard"


@dataclass
class World:
    """An interview server whose connections to everybody can be disturbed.

    Attributes:
        servers: The model servers, with their gates.
        interview: The interview server.
        front: Between candidates and it.
        behind: Between it and the model servers, by name.
    """

    servers: Servers
    interview: Served
    front: Proxy
    behind: dict[str, Proxy]

    def candidate(self, **settings: Any) -> Candidate:
        """A candidate who is about to begin."""
        return Candidate(self.front.address, iter(WORDS), **({"rounds": 2} | settings))

    def begin(self, fault: Fault, server: str) -> None:
        """Lets a fault happen to a model server."""
        match fault:
            case Fault.HANGS:
                self.servers.gates[server].set(Position.HELD)
            case Fault.FAILS:
                self.servers.gates[server].set(Position.BROKEN)
            case Fault.REFUSES:
                self.behind[server].refuse()
            case Fault.BLACK_HOLE:
                self.behind[server].stall()
            case Fault.HALF_OPEN:
                self.behind[server].stall({Way.DOWN})

    def mend(self, server: str) -> None:
        """Ends whatever happens to a model server."""
        self.servers.gates[server].set(Position.OPEN)
        self.behind[server].mend()


@asynccontextmanager
async def world(data_dir: Path, **settings: Any) -> AsyncIterator[World]:
    """Starts everything, with settings of the interview server."""
    servers = Servers(data_dir)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(servers.models_started())
        behind = {
            name: await stack.enter_async_context(proxied(servers.running[name].port))
            for name in SERVERS
        }
        addresses = {f"{name}_address": proxy.address for name, proxy in behind.items()}
        interview = await stack.enter_async_context(
            servers.started("interview", **addresses, **settings)
        )
        front = await stack.enter_async_context(proxied(interview.port))
        made = World(servers, interview, front, behind)
        try:
            yield made
        finally:
            front.mend()
            for name in SERVERS:
                made.mend(name)
