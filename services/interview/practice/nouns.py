"""English nouns that learners count wrongly."""

from __future__ import annotations

_COUNTED = """
    apple bag book boss boy brother car cat chance child choice city class colleague company country
    course customer day dog example family film friend game girl goal habit hobby holiday hour house
    idea job kid language lesson letter meal meeting minute mistake moment month movie neighbour
    page parent person photo picture place plan problem project question reason restaurant room
    school sister song sport station story student subject teacher thing ticket town tree trip way
    week word year
"""
COUNTED = tuple(_COUNTED.split())
"""What there may be two of, in the singular."""

PERIODS = ("minute", "hour", "day", "week", "month", "year")

_PLURALS = {"child": "children", "person": "people"}

UNCOUNTED = (
    *("advice", "equipment", "feedback", "furniture", "homework", "information", "knowledge"),
    *("luggage", "software"),
)
"""What cannot be counted, and has no meaning with an s."""
NO_ARTICLE = (*(word for word in UNCOUNTED if word != "knowledge"), "money", "news", "traffic")
"""What a and an do not stand with; "a knowledge of" they do."""


def plural(noun: str) -> str:
    """More than one of it."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x")) else "s")


SINGULAR_OF = {plural(noun): noun for noun in COUNTED}
"""Singulars by their plurals."""

_ALSO_VERBS = """
    bag book chance film game holiday house letter meal page parent person picture place plan
    project question reason room school station story subject thing ticket trip way word
"""
MANY_THINGS = tuple(each for each in SINGULAR_OF if SINGULAR_OF[each] not in PERIODS)
"""Plurals that are not one length of time: "there is two hours left" is said."""
PLAIN_PLURALS = tuple(each for each in MANY_THINGS if SINGULAR_OF[each] not in _ALSO_VERBS.split())
"""Plurals that are neither verbs ("this books a table") nor a people."""
