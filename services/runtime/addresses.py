"""How a host and a port are written as one."""

from __future__ import annotations


def bare(host: str) -> str:
    """A host without the brackets an IPv6 address may be written in."""
    return host.removeprefix("[").removesuffix("]")


def parse(text: str) -> tuple[str, int]:
    """Reads `host:port`; raises ValueError on anything else."""
    host, colon, port = text.rpartition(":")
    host = bare(host)
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} is no address; write host:port")
    return host, int(port)


def authority(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    host = bare(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
