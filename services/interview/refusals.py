"""Refusals whose reason a program can act on."""

from __future__ import annotations

from services.runtime.errors import InvalidField


class RefusedField(InvalidField):
    """A field is refused, for a reason of its own."""

    def __init__(self, reason: str, field: str, description: str) -> None:
        super().__init__(field, description)
        self.reason = reason
