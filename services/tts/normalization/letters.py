"""Letters by their names, which every voice pronounces."""

from __future__ import annotations

import re

_NAMES = {
    "A": "eigh", "B": "bee", "C": "see", "D": "dee", "E": "ee", "F": "ef", "G": "jee", "H": "aitch",
    "I": "eye", "J": "jay", "K": "kay", "L": "el", "M": "em", "N": "en", "O": "oh", "P": "pee",
    "Q": "cue", "R": "are", "S": "ess", "T": "tee", "U": "you", "V": "vee", "W": "double you",
    "X": "ex", "Y": "why", "Z": "zee",
}  # fmt: skip
_CAPITAL = re.compile(r"(?<![A-Za-z'])[A-Z](?![A-Za-z])")


def spell(letters: str) -> str:
    """The names of letters: "api" → "eigh pee eye"."""
    return " ".join(_NAMES[letter] for letter in letters.upper())


def with_names(reading: str) -> str:
    """A reading whose single capitals are letters: "O auth" → "oh auth"."""
    return _CAPITAL.sub(lambda match: _NAMES[match.group()], reading)
