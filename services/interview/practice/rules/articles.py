"""A and an, by the sound that a word begins with.

No list of all words: spelling tells the sound of most ("apple", "table"), and of the few others
that matter a pattern does ("hour", "university"). What may be an abbreviation is left alone: "an
SQL query" and "a SQL query" are both said.
"""

from __future__ import annotations

import re

from services.interview.practice.rules.rule import Place, rule

_LETTERS = """
    a about after all also always am an and are as at each either even every i if in into is it its
    of off often on our out over unless until up us
    but by can could did do does for from had has have he here she should so that then there these
    they this those to was we were will with would yet you
"""
_NO_NOUN = frozenset(_LETTERS.split())
"""Before these "a" is a letter ("plan A is"), "an" is "and" mistyped, or somebody hesitates."""
_LIKE_YOU = re.compile(
    r"eu(?!ler)|ew|u[bkrst]i|uni(?:[cfloqtvp]|sex|son|di|mo)|una(?:ry|nim)|ur[aeu]|us[aeu]"
    r"|utah|ute|utop|ukr|ukul|ugan|uyg"
)
"""Vowels in writing that are said with a consonant: "university", "European"."""
_ONE = re.compile(r"one(?:s|self|sie|-[\w-]+)?$|once|oui")
_AS_IN_UP = re.compile(
    r"u(?:gl|l[ct]|m[bp]|p|r[bgn]|sh|t[mt]"
    r"|n(?:[bcdfghj-np-tvwz]|a(?!r?y|nim)|e(?!sc)|i(?:de|m(?!o)|n)|o|u))"
)
"""Words in u- that begin as "up" does."""
_SILENT_H = re.compile(r"hour|hono|honest|heir")
_HEARD_H = re.compile(
    r"(?:house|home|horse|hospital|hand|hat|head|heart|help|hobby|holiday|hundred|husband"
    r"|habit|half|happy|hard|healthy|heavy|high|hot|huge|human|hungry|high-?\w+|hotel)s?$"
)
"""With a beyond doubt; "an historic" is said too."""
_ONSET = re.compile(r"[a-z][aeiouy]|[bcfgps]l|[bcdfgptw]r|[cpstw]h|s[ckmnpqtw]|[dt]w|kn|ps")
"""How a word begins in writing; what begins otherwise is letters said one by one: "an mba"."""
_SPELT = re.compile(
    r"(?!(?:few|far|fat|fit|fun|lot|low|man|men|new|not|red|row|run|sad|sea|set|shy|six|son)$)"
    r"[flmnrs](?:-|\w{0,2}$)|x"
)
"""What may be such letters, of those whose names begin with a vowel: "an rsa key"."""
_BY_SOUND = {
    "u": ((_AS_IN_UP, "an"), (_LIKE_YOU, "a")),
    "h": ((_SILENT_H, "an"), (_HEARD_H, "a")),
    "": ((_SPELT, None), (_ONSET, "a")),
}
"""For the letters whose sound is open, and all consonants: the first that matches tells."""


def article(word: str) -> str | None:
    """What stands before a word, "a" or "an"; None where that is open.

    Args:
        word: As it is written; capitals behind its first letter make it an abbreviation or a name.
    """
    if not re.fullmatch(r"[A-Z]?[a-z]+(?:-[a-z]+)*", word) or len(word) < 3:
        return None
    small = word.lower()
    if small in _NO_NOUN:
        return None
    if small[0] in "aeio":
        consonant = _ONE if small[0] == "o" else _LIKE_YOU
        return "a" if consonant.match(small) else "an"
    for sounds, told in _BY_SOUND[small[0] if small[0] in "uh" else ""]:
        if sounds.match(small):
            return told
    return None


def _other(found: re.Match[str]) -> str | None:
    said, right = found["article"], article(found["word"])
    if right is None or right == said.lower() or (right == "a" and found["word"][0] in _NAMES):
        return None
    return f"{right} {found['word']}"


_NAMES = "BCDFGHJKLMNPQRSTVWXYZ"
"""Names of any language begin so: "the Ding an sich", "an Nguyen"."""
_AN = "An, before a vowel that is heard."
_BEFORE = r"(?P<article>{}) (?P<word>[A-Za-z]+(?:-[A-Za-z]+)*)"

ARTICLES = (
    rule(_BEFORE.format("(?-i:a)"), _other, _AN),
    rule(_BEFORE.format("(?-i:A)"), _other, _AN, at=Place.SENTENCE),
    rule(_BEFORE.format("an"), _other, "A, before a consonant that is heard."),
)
