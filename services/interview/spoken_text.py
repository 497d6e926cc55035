"""Words of a request that will be said, shown and searched: clean of what cannot be seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from services.runtime.errors import InvalidField

# Letters by their category, but blank: Unicode's fillers of Hangul syllables.
_BLANK = "\u115f\u1160"
_JOINERS = "\u200c\u200d"
"""Between letters they are orthography: of Persian, of Indian scripts."""
MOST_MARKS = 4
"""Combining marks on a letter; more are a heap that covers the lines around it."""


def refuse_control_characters(field: str, text: str) -> None:
    """Refuses what no database column takes and nobody can read: NUL, escape and the like.

    Raises:
        InvalidField: There is one; white space is none.
    """
    if any(unicodedata.category(c) == "Cc" and not c.isspace() for c in text):
        raise InvalidField(field, "must not have control characters")


def clean_text(field: str, text: str, longest: int) -> str:
    """Text in Unicode's form NFKC, one space between words, without what cannot be seen.

    Args:
        field: The request's field, for the refusal.
        text: As sent.
        longest: Characters that may be left; a ligature may become many.

    Raises:
        InvalidField: Nothing is left that could be said, or too much.
    """
    spaced = " ".join(unicodedata.normalize("NFKC", text).split())
    clean = " ".join(_seen(spaced).split())
    if not any(character.isalnum() for character in clean):
        raise InvalidField(field, "must have a letter or a digit, or be left out")
    if len(clean) > longest:
        raise InvalidField(field, f"must be at most {longest} characters")
    return clean


def clean_topics(field: str, topics: Sequence[str], longest: int) -> tuple[str, ...]:
    """Each of the topics clean, once; capitals make no other topic.

    Raises:
        InvalidField: One of them cannot be said, or has control characters.
    """
    kept: dict[str, str] = {}
    for number, topic in enumerate(topics):
        refuse_control_characters(f"{field}[{number}]", topic)
        clean = clean_text(f"{field}[{number}]", topic, longest)
        kept.setdefault(clean.casefold(), clean)
    return tuple(kept.values())


def _seen(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for place, character in enumerate(text):
        kind = unicodedata.category(character)[0]
        if character in _JOINERS:
            joins = bool(kept) and _letter(kept[-1]) and _letter(text[place + 1 : place + 2])
            if joins:
                kept.append(character)
            continue
        if kind == "C" or character in _BLANK:
            continue
        marks = marks + 1 if kind == "M" else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _letter(character: str) -> bool:
    return character != "" and unicodedata.category(character)[0] in "LM"
