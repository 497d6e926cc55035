"""Which script a text is in."""

from __future__ import annotations

import re

# Characters as a regular expression's class has them, the zero of years (二〇二六) among them.
HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
RAISED = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2150-\u215e"
"""Raised and lowered digits and fractions, which a regular expression takes for letters."""

_HAN_PATTERN = re.compile(f"[{HAN}]")


def has_han(text: str) -> bool:
    """Whether Chinese characters are in the text."""
    return _HAN_PATTERN.search(text) is not None


def is_speakable(text: str) -> bool:
    """Whether at least one letter or digit is in the text."""
    return any(character.isalnum() for character in text)
