"""The languages interviews are held in."""

from __future__ import annotations

from services.interview.interviewer.personas import primary

LANGUAGES = frozenset({"en", "zh"})
"""Languages the bank and the interviewer's lines are written in."""

_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})
"""Scripts and regions of Chinese in traditional characters: the bank's are simplified, and an
answer recognised in others shares too few characters with its key points."""


def held_in(language: str) -> bool:
    """Whether interviews are held in the language of a BCP 47 tag."""
    if primary(language) == "zh":
        return _TRADITIONAL.isdisjoint(language.lower().split("-"))
    return primary(language) in LANGUAGES
