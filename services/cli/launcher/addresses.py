"""Addresses of this machine: where a server that listens can be reached, which ports are free."""

from __future__ import annotations

import ipaddress
import socket

import psutil

from services.runtime.addresses import bare


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
    """The names and IP addresses by which others on its networks reach this machine.

    First the address that it calls others from.
    """
    addresses = [
        *_calling_address(),
        *_interface_addresses(),
    ]
    # An address with a zone is of a link, and no host of a URL.
    usable = [address for address in dict.fromkeys(addresses) if "%" not in address]
    written = [f"[{address}]" if ":" in address else address for address in usable]
    name = socket.gethostname()
    return [*written, f"{name}.local", name]


def leads_here(name: str, host: str) -> bool:
    """Whether others who call this machine by `name` reach a listener on `host`.

    Args:
        name: A name or IP address, as `own_names` writes it.
        host: An IP address, or a name with one.

    Raises:
        OSError: `host` has no address.
    """
    try:
        address = ipaddress.ip_address(bare(name))
    except ValueError:
        return name.partition(".")[0] != "localhost"
    try:
        listener = ipaddress.ip_address(bare(host))
    except ValueError:
        listener = ipaddress.ip_address(reachable(host))
    if address.is_loopback or not listener.is_unspecified:
        return address == listener and not address.is_loopback
    return address.version <= listener.version


def _calling_address() -> list[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; the address is one for documentation (RFC 5737).
            probe.connect(("192.0.2.1", 9))
        except OSError:  # there is no way out
            return []
        return [str(probe.getsockname()[0])]


def _interface_addresses() -> list[str]:
    return [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in {socket.AF_INET, socket.AF_INET6}
    ]
