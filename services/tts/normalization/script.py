"""Which script a text is in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

# Characters as a regular expression's class has them, the zero of years (二〇二六) among them.
HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
RAISED = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2150-\u215e"
"""Raised and lowered digits and fractions, which a regular expression takes for letters."""

# As the names of their characters begin.
_READ = {"LATIN", "GREEK", "CJK", "IDEOGRAPHIC", "MODIFIER", "FEMININE", "MASCULINE"}
_HAN_PATTERN = re.compile(f"[{HAN}]")
_WORD = re.compile(f"[^\\W{HAN}]+")


def has_han(text: str) -> bool:
    """Whether Chinese characters are in the text."""
    return _HAN_PATTERN.search(text) is not None


def is_mostly_han(text: str) -> bool:
    """Whether more of the text's words are Chinese characters than are not."""
    return len(_HAN_PATTERN.findall(text)) > len(_WORD.findall(text))


def foreign_script(text: str) -> str | None:
    """The script that most letters of the text are in, if it is one that nobody here reads.

    Latin, Greek (the letters of formulas) and Chinese are read. A foreign name in a sentence is not
    most of it.
    """
    letters = [
        character for character in unicodedata.normalize("NFKC", text) if character.isalpha()
    ]
    scripts = Counter(unicodedata.name(letter, "UNKNOWN").split()[0] for letter in letters)
    strange = Counter({name: n for name, n in scripts.items() if name not in _READ})
    if 2 * strange.total() <= len(letters):
        return None
    return strange.most_common(1)[0][0].capitalize()


def is_speakable(text: str) -> bool:
    """Whether at least one letter or digit is in the text."""
    return any(character.isalnum() for character in text)
