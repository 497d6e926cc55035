"""What runs, as the launcher tells other commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(slots=True)
class Status:
    """What is known of a process.

    Attributes:
        pid: Its process id; None while it does not run.
        started: When it was started, in seconds since the epoch.
        ready_in: Seconds until it was ready; None before.
        restarts: How often it was started again.
        called: Whether new calls may go to it; one that is being replaced ends what it is doing.
    """

    pid: int | None = None
    started: float = 0.0
    ready_in: float | None = None
    restarts: int = 0
    called: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One process, or one server elsewhere.

    Attributes:
        name: "asr", "asr-2", …, "envoy".
        server: What it is a replica of.
        address: Where it takes calls; several of a server elsewhere, with commas.
        metrics: Where it shows metrics, host and port; None for none.
        health: In a word: SERVING, NOT_SERVING, SERVICE_UNKNOWN or UNREACHABLE.
        status: Of its process; None for a server elsewhere.
        lacks: What keeps it from serving that is elsewhere, in words; empty where nothing does.
    """

    name: str
    server: str
    address: str
    metrics: str | None
    health: str
    status: Status | None
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The running mesh.

    Attributes:
        pid: The launcher.
        started: When it was started, in seconds since the epoch.
        mesh: The mesh listener's address.
        edge: The edge listener's address; None without one.
        links: Where other machines' browsers find the page, without a path, the best first.
        tls: Whether the edge speaks TLS.
        entries: What runs, and what is elsewhere.
    """

    pid: int
    started: float
    mesh: str
    edge: str | None
    links: tuple[str, ...]
    tls: bool
    entries: tuple[Entry, ...]

    @property
    def page(self) -> str | None:
        """Where browsers find the page, those of other machines if they can, without a path."""
        if self.links:
            return self.links[0]
        return None if self.edge is None else f"{'https' if self.tls else 'http'}://{self.edge}"

    def to_json(self) -> Mapping[str, Any]:
        """As JSON can say it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Reads what `to_json` gave."""
        entries = tuple(
            Entry(**{**entry, "status": entry["status"] and Status(**entry["status"])})
            for entry in content["entries"]
        )
        return cls(**{**content, "links": tuple(content["links"]), "entries": entries})
