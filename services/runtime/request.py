"""What a handler may know about the call it serves."""

from __future__ import annotations

import asyncio
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field

REQUEST_ID_KEY = "x-request-id"
CALLER_KEY = "x-viva-caller"
USER_KEY = "x-viva-user"
SESSION_KEY = "x-viva-session"
ADDRESS_KEY = "x-viva-address"


def new_request_id() -> str:
    """A fresh request id."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Request:
    """One call.

    Attributes:
        id: The caller's `x-request-id`, or a fresh one.
        caller: Who shares the server fairly with others: `x-viva-caller`, else the peer's address.
        user: The user the edge vouches for, `x-viva-user`; empty between services.
        session: The session they are logged in by, `x-viva-session`; empty between services.
        address: Where the edge saw the call come from, `x-viva-address`; empty between services.
        method: The full method name.
        deadline: On the event loop's clock, in seconds; None without one.
        draining: Set when the server stops: a stream finishes what it is saying, begins nothing
            new and ends with `Draining`.
    """

    id: str = field(default_factory=new_request_id)
    caller: str = ""
    user: str = ""
    session: str = ""
    address: str = ""
    method: str = ""
    deadline: float | None = None
    draining: asyncio.Event = field(default_factory=asyncio.Event, compare=False, repr=False)

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        if self.deadline is None:
            return None
        return self.deadline - asyncio.get_running_loop().time()


_current: ContextVar[Request | None] = ContextVar("viva_request", default=None)


def current_request() -> Request:
    """The call being served; outside of one, a fresh request without a deadline."""
    return _current.get() or Request()


def set_current_request(request: Request) -> None:
    """Makes `request` the current one for this task and those it starts."""
    _current.set(request)
