"""A block of headers, as HTTP/1 writes them, and what of a client's goes on to the server."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from edge.gateway.bridge.closing import malformed, too_large

Metadata = Sequence[tuple[str, str | bytes]]

_NAME = re.compile(r"[a-z0-9_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")
_BINARY = "-bin"
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}

# Said by HTTP, by gRPC's own transport or by the mesh; from a client they mean nothing or are
# forgeries. Envoy removes the mesh's own once more.
_OWN = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"),
        *("host", "content-length", "content-type", "cookie", "user-agent", "x-user-agent"),
        *("x-grpc-web", "x-request-id", "accept-encoding", "origin", "forwarded", "via"),
    }
)
_OWN_PREFIXES = (
    "grpc-",
    "x-viva-",
    "x-envoy-",
    "x-forwarded-",
    "sec-",
    "proxy-",
    "access-control-",
)


def read_block(block: bytes, *, max_headers: int, max_bytes: int) -> dict[str, str]:
    """The headers of a block by lower-case name; of one that is repeated the values with commas.

    Raises:
        Ended: It is no block of headers, or exceeds a limit.
    """
    if len(block) > max_bytes:
        raise too_large(f"headers of {len(block)} bytes; {max_bytes} are allowed")
    headers: dict[str, str] = {}
    lines = [line for line in block.decode("latin-1").split("\r\n") if line]
    if len(lines) > max_headers:
        raise too_large(f"{len(lines)} headers; {max_headers} are allowed")
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not (colon and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            raise malformed(f"header {number} is not `name: value` in printable ASCII")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def passed_on(headers: dict[str, str]) -> list[tuple[str, str | bytes]]:
    """What of a client's headers the server gets as metadata.

    Raises:
        Ended: A binary one is not base64.
    """
    found: list[tuple[str, str | bytes]] = []
    for name, value in headers.items():
        if name in _OWN or name.startswith(_OWN_PREFIXES):
            continue
        if not name.endswith(_BINARY):
            found.append((name, value))
            continue
        found.extend((name, _from_base64(name, each)) for each in value.split(","))
    return found


def _from_base64(name: str, value: str) -> bytes:
    try:
        # Padding is optional on gRPC's wire.
        return base64.b64decode(value.strip() + "=" * (-len(value.strip()) % 4), validate=True)
    except binascii.Error:
        raise malformed(f"{name} is not base64") from None


def timeout_of(headers: dict[str, str]) -> float | None:
    """The client's deadline in seconds from now; None without one.

    Raises:
        Ended: It is none.
    """
    text = headers.get("grpc-timeout")
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise malformed("grpc-timeout is not up to eight digits and one of H, M, S, m, u, n")
    return int(match[1]) * _UNITS[match[2]]


def write_block(metadata: Iterable[tuple[str, str | bytes]]) -> bytes:
    """A block of headers for a client."""
    lines = []
    for name, value in metadata:
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        lines.append(f"{name}: {text}\r\n")
    return "".join(lines).encode("latin-1", "replace")


def trailers(code: int, message: str, metadata: Iterable[tuple[str, str | bytes]] = ()) -> bytes:
    """The block that ends a call: status, message (percent-encoded as gRPC has it), metadata."""
    rest = [
        (name, value) for name, value in metadata if name not in ("grpc-status", "grpc-message")
    ]
    status: list[tuple[str, str | bytes]] = [("grpc-status", str(code))]
    if message:
        # Everything but %x20-%x24 and %x26-%x7E is encoded.
        status.append(("grpc-message", quote(message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")))
    return write_block([*status, *rest])
