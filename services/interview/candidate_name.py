"""The candidate's name, as it can be said and shown."""

from __future__ import annotations

from services.interview.spoken_text import clean_text

FIELD = "settings.candidate_name"
LONGEST = 100
"""Characters, as in the contract."""


def clean_name(name: str) -> str:
    """A name without what cannot be seen.

    Raises:
        InvalidField: Nothing is left that could be said, or too much.
    """
    return clean_text(FIELD, name, LONGEST)
