"""Refusals whose reason a program can act on."""

from __future__ import annotations

from services.interview.record import State
from services.runtime.errors import InvalidField

_EXPLAINED = {State.READY: "ready: nobody has joined it", State.REVIEWING: "reviewing: it is over"}


def named(state: State) -> str:
    """A state as a refusal names it."""
    return _EXPLAINED.get(state, state.name.lower())


class RefusedField(InvalidField):
    """A field is refused, for a reason of its own."""

    def __init__(self, reason: str, field: str, description: str) -> None:
        super().__init__(field, description)
        self.reason = reason
