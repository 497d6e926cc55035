"""The address of a trace collector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from services.runtime.addresses import authority


@dataclass(frozen=True, slots=True)
class Collector:
    """An OTLP/gRPC collector.

    Attributes:
        host: Its name or address, without brackets.
        port: 4317 unless the URL says otherwise.
        tls: Whether it is spoken to over TLS.
    """

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Reads `http://host:port` or `https://host:port`; raises ValueError on anything else."""
        wrong = "write http://host:port or https://host:port"
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            raise ValueError(wrong) from None
        rest = parts.path.rstrip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme not in {"http", "https"} or not parts.hostname or rest or port == 0:
            raise ValueError(wrong)
        return cls(parts.hostname, port or 4317, parts.scheme == "https")

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{authority(self.host, self.port)}"
