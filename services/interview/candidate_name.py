"""The candidate's name, as it can be said and shown."""

from __future__ import annotations

import unicodedata

from services.runtime.errors import InvalidField

FIELD = "settings.candidate_name"
LONGEST = 100
"""Characters, as in the contract; a ligature may become many."""
# Letters by their category, but blank: Unicode's fillers of Hangul syllables.
_BLANK = "\u115f\u1160"


def clean_name(name: str) -> str:
    """A name in Unicode's form NFKC, one space between words, without what cannot be seen.

    Raises:
        InvalidField: Nothing is left that could be said, or too much.
    """
    spaced = " ".join(unicodedata.normalize("NFKC", name).split())
    seen = "".join(c for c in spaced if unicodedata.category(c)[0] != "C" and c not in _BLANK)
    clean = " ".join(seen.split())
    if not any(character.isalnum() for character in clean):
        raise InvalidField(FIELD, "must have a letter or a digit; leave it out if there is no name")
    if len(clean) > LONGEST:
        raise InvalidField(FIELD, f"must be at most {LONGEST} characters")
    return clean
