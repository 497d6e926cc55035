"""Addresses of this machine: where a server that listens can be reached, which ports are free."""

from __future__ import annotations

import ipaddress
import socket

import psutil


def reachable(host: str) -> str:
    """The IP address at which this machine reaches a server that listens on `host`.

    Raises:
        OSError: The name has no address.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        # IPv4 first, as Envoy prefers it.
        return str(min(answers, key=lambda answer: answer[0] != socket.AF_INET)[4][0])
    if address.is_unspecified:  # every address of this machine
        return "127.0.0.1" if address.version == 4 else "::1"
    return host


def is_local(host: str) -> bool:
    """Whether `localhost` leads to a listener on `host`, an IP address."""
    address = ipaddress.ip_address(host)
    return address.is_loopback or address.is_unspecified


def free(host: str, port: int) -> bool:
    """Whether a server could listen at the IP address and port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):  # in use, or beyond the last port
            return False
    return True


def own_names() -> list[str]:
    """The names and IP addresses by which others on its networks reach this machine."""
    addresses = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    ]
    # An address with a zone is of a link, and no host of a URL.
    usable = [address for address in addresses if "%" not in address]
    written = [f"[{address}]" if ":" in address else address for address in usable]
    name = socket.gethostname()
    return [name, f"{name}.local", *written]
