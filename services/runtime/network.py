"""Whose an address is."""

from __future__ import annotations

import ipaddress

_IPV6_NETWORK = 64
"""Bits of an IPv6 address that say whose it is."""


def network(address: str) -> str:
    """Whose an address is: itself, of IPv6 its /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))
    return str(parsed)
