"""English nouns that learners count wrongly."""

from __future__ import annotations

_COUNTED = """
    apple bag book boss brother car cat chance child choice city class colleague company country
    course customer day dog example family film friend game goal habit hobby holiday hour idea job
    kid language lesson letter meal meeting mistake minute moment month movie neighbour page parent
    person photo picture place plan problem project question reason room school sister song sport
    station story student subject teacher thing ticket town tree trip way week word year
"""
COUNTED = tuple(_COUNTED.split())
"""What there may be two of, in the singular."""

_PLURALS = {"child": "children", "person": "people"}

UNCOUNTED = (
    *("advice", "equipment", "evidence", "feedback", "furniture", "homework", "information"),
    *("knowledge", "luggage", "money", "news", "software", "staff", "traffic", "weather"),
)
"""What cannot be counted."""


def plural(noun: str) -> str:
    """More than one of it."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x")) else "s")
