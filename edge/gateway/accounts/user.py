"""A user, as the record has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Who a user is to Viva."""

    GUEST = "guest"
    MEMBER = "member"
    ADMIN = "admin"


class Plan(StrEnum):
    """What a user may use."""

    FREE = "free"
    PRO = "pro"


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    Attributes:
        id: A UUIDv7 in its usual form.
        email: None of a guest.
        email_proven: Whether somebody has read mail there, and set the password by it.
        password: Its argon2id hash; None of a guest.
        settings: How they like things, as the contract's AccountSettings in JSON.
    """

    id: str
    kind: Kind
    created: datetime
    plan: Plan = Plan.FREE
    email: str | None = None
    email_proven: bool = False
    password: str | None = field(default=None, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
