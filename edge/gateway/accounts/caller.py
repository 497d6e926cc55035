"""Who calls, as a call's metadata tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from edge.envoy.claims import ADDRESS_HEADER

COOKIE = "viva_refresh"
_PATH = "/viva.account.v1.AccountService"
_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller.

    Attributes:
        address: Where the call comes from.
        user_agent: What the client calls itself; "" where it doesn't.
        access_token: What it proves itself by; None for nothing.
        cookie: The refresh token of a browser; None without one, or where the call may have been
            made by another site's page.
        over_tls: Whether the browser's way to Envoy is encrypted.
    """

    address: str
    user_agent: str
    access_token: str | None
    cookie: str | None
    over_tls: bool


def caller(context: _Context) -> Caller:
    """Who calls."""
    sent = context.invocation_metadata() or ()
    said = {key: value for key, value in sent if isinstance(value, str)}
    scheme, _, token = said.get("authorization", "").partition(" ")
    return Caller(
        address=said.get(ADDRESS_HEADER) or _peer(context.peer()),
        # A browser's own; what gRPC-Web's library calls itself comes second.
        user_agent=said.get("user-agent") or said.get("x-user-agent", ""),
        access_token=token.strip() if scheme.lower() == "bearer" and token.strip() else None,
        cookie=_cookie(said) if _is_of_our_page(said) else None,
        over_tls=said.get("x-forwarded-proto") == "https",
    )


def _peer(peer: str) -> str:
    """The address of "ipv4:127.0.0.1:123" or "ipv6:[::1]:123"."""
    return peer.partition(":")[2].rpartition(":")[0].strip("[]") or peer


def _is_of_our_page(said: dict[str, str]) -> bool:
    """Whether a cookie may be believed: a page of another site can send it along, unasked.

    gRPC-Web's own header makes a browser ask first whether the page's origin may call (CORS), which
    Envoy answers; where the browser says itself that another site calls, that is enough.
    """
    if "x-grpc-web" not in said:
        return False
    return said.get("sec-fetch-site", "same-origin") in {"same-origin", "same-site", "none"}


def _cookie(said: dict[str, str]) -> str | None:
    # By hand: http.cookies gives all up for one that another program on this host has set.
    for pair in said.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None


def set_cookie(token: str, seconds: int, *, secure: bool) -> str:
    """The header that gives a browser its refresh token; no script can read it."""
    flags = "; Secure" if secure else ""
    return f"{COOKIE}={token}; Path={_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{flags}"


def clear_cookie(*, secure: bool) -> str:
    """The header that takes it away."""
    return set_cookie("", 0, secure=secure)
