"""A guest who becomes somebody, or leaves what is theirs to somebody."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.gateway.tokens.access import Claims
from services.runtime.errors import InvalidField

FIELD = "guest_refresh_token"


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a call's access token names, and what else it proves.

    Attributes:
        claims: What the access token says.
        refresh_token: The newest of the same session, or so it is said; None where none came.
    """

    claims: Claims
    refresh_token: str | None = field(repr=False)

    @property
    def id(self) -> str:
        """The user's id."""
        return self.claims.user_id

    def proof(self) -> str:
        """The refresh token.

        Raises:
            InvalidField: None came.
        """
        if self.refresh_token is None:
            raise InvalidField(
                FIELD, "is needed with a guest's access token; browsers send a cookie"
            )
        return self.refresh_token
