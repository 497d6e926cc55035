"""Who calls: a header for those who do not say it themselves, so that they share fairly.

Servers divide their time among callers. Behind Envoy they would take all of its clients for one.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import base_pb2

CALLER_HEADER = "x-viva-caller"

# The certificate, where there is one; otherwise the peer of the connection, whatever address it
# claims to forward for. A program on the mesh is its connection: several may share a machine.
MESH_CALLERS = ("%DOWNSTREAM_PEER_SUBJECT%", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%")
# A browser opens connections as it likes, and is one caller all the same. Behind proxies that are
# trusted it is the one whom they name.
EDGE_CALLERS = ("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",)


def caller_headers(formats: tuple[str, ...]) -> list[Any]:
    """Says who calls where nobody has, by the first format that yields something."""
    return header_if_absent(CALLER_HEADER, formats)


def header_if_absent(name: str, formats: tuple[str, ...]) -> list[Any]:
    """Sets a header where it is absent, by the first format that yields something."""
    return _header(name, formats, base_pb2.HeaderValueOption.ADD_IF_ABSENT)


def header_instead(name: str, formats: tuple[str, ...]) -> list[Any]:
    """Sets a header, whatever it was; by the last format that yields something."""
    return _header(name, formats, base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD)


def _header(name: str, formats: tuple[str, ...], action: int) -> list[Any]:
    return [
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key=name, value=value), append_action=action
        )
        for value in formats
    ]
