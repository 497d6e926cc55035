"""Where a server may listen: on loopback, or where it has been allowed to be called by anybody."""

from __future__ import annotations

import ipaddress
import logging

import grpc

from services.runtime.addresses import authority, bare
from services.runtime.errors import ResourceMissing
from services.runtime.logs import log

_logger = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach what listens on `host`."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ipaddress.ip_address(bare(host)).is_loopback
    except ValueError:
        return False


def require_allowed(what: str, host: str, port: int, *, allow_insecure: bool) -> None:
    """Lets an unauthenticated listener of other machines start only where that was asked for.

    Args:
        what: What would be open to them, for example "calls".
        host: Where it would listen.
        port: Where it would listen.
        allow_insecure: Whether it was asked for.

    Raises:
        ResourceMissing: It was not.
    """
    if is_loopback(host):
        return
    if not allow_insecure:
        raise ResourceMissing(
            f"other machines could reach {authority(host, port)} ({what}) without authentication",
            "listen on 127.0.0.1, or set VIVA_ALLOW_INSECURE=1 where that is meant",
        )
    log(_logger, logging.WARNING, "open without authentication", what=what, host=host, port=port)


def taken(host: str, port: int) -> ResourceMissing:
    """The error of an address that something else listens on."""
    return ResourceMissing(
        f"{authority(host, port)} cannot be listened on",
        "stop what uses it (`viva status` shows a running mesh) or set another port",
    )


def listen(server: grpc.aio.Server, host: str, port: int, *, allow_insecure: bool) -> int:
    """Makes a server listen; returns the port, which for port 0 is a free one.

    Raises:
        ResourceMissing: The address is taken, or may not be listened on.
    """
    require_allowed("calls", host, port, allow_insecure=allow_insecure)
    try:
        bound = server.add_insecure_port(authority(host, port))
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise taken(host, port)
    return bound
