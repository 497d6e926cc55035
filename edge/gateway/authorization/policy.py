"""Who may call which method: the contracts' word, and what a verified token says."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge.envoy.contracts import Access, Contract

ADMIN = "admin"
_KINDS = frozenset({"guest", "member", ADMIN})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token says that calls.

    Attributes:
        user: The user's id, `sub`.
        session: The session's id, `sid`.
        kind: "guest", "member" or "admin".
    """

    user: str
    session: str
    kind: str

    @classmethod
    def of(cls, claims: Mapping[str, object]) -> Caller | None:
        """The caller that claims name; None where they name none whole."""
        user, session, kind = (claims.get(name) for name in ("sub", "sid", "kind"))
        if not (isinstance(user, str) and isinstance(session, str) and isinstance(kind, str)):
            return None
        if not (user and session and kind in _KINDS):
            return None
        return cls(user, session, kind)


class Verdict(enum.Enum):
    """What is decided; the value says why, for people and programs."""

    ALLOWED = "allowed"
    NO_CALLER = "a valid access token is needed"
    SESSION_ENDED = "the session is over; log in again"
    NOT_ADMIN = "only an administrator may call this"
    CLOSED = "this is not served at the edge"


class Policy:
    """What the contracts say, by method path."""

    def __init__(self, services: Iterable[Contract]) -> None:
        """Takes the contracts; what is not public is as if it were not there."""
        self._access = {
            method.path: method.access
            for contract in services
            if contract.public
            for method in contract.methods
        }

    def is_public(self, method: str) -> bool:
        """Whether anybody may call the method."""
        return self._access.get(method, Access.CLOSED) is Access.PUBLIC

    def decide(self, method: str, caller: Caller | None, *, live: bool) -> Verdict:
        """Whether the call may go on.

        Args:
            method: The path of the method the call leads to.
            caller: Who calls; None for nobody known.
            live: Whether the caller's session goes on.
        """
        access = self._access.get(method, Access.CLOSED)
        if access is Access.CLOSED:
            return Verdict.CLOSED
        if access is Access.PUBLIC and caller is None:
            return Verdict.ALLOWED
        if caller is None:
            return Verdict.NO_CALLER
        if not live:
            return Verdict.SESSION_ENDED
        if access is Access.ADMIN and caller.kind != ADMIN:
            return Verdict.NOT_ADMIN
        return Verdict.ALLOWED
