"""What a rule is: a common mistake, where it is one beyond doubt, and how it is said.

A learner believes a correction, so a false one costs more than a miss. Rules see words and no
grammar; what a word is depends on where it stands ("the ideas I have went nowhere"). Hence a rule
names the place at which its words can only be meant in one way, and is silent everywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

LOOK_BACK = 120
"""Characters before a place in which the beginning of its clause or sentence is looked for."""


class Place(Enum):
    """Where a rule holds."""

    ANYWHERE = "anywhere"
    CLAUSE = "clause"
    """At the beginning of a clause, where a subject is the whole subject and nothing is asked."""
    SENTENCE = "sentence"
    """At the beginning of a sentence."""


_SENTENCE = re.compile(
    r"""(?:^|[.!?;:…]["”')]?\s|["“(])(?:(?:and|but|so|well|yes|no|then),? )?$""", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"(?:^|[.!?;:,…\"“()”]\s?|\b(?:because|but|so|when|then|and|think|although|while|if)\s)$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?;…]\s")

Mend = Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A mistake.

    Attributes:
        pattern: Finds it, in any case.
        mend: How it is said; None where it is right after all.
        reason: Why, in a sentence.
        place: Where it can stand.
        unless: What makes it right if it stands before it in the sentence.
    """

    pattern: re.Pattern[str]
    mend: Mend
    reason: str
    place: Place
    unless: re.Pattern[str] | None

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where the mistake begins and ends in a text with plain apostrophes, and how it is said.

        Takes time in proportion to the text's length.
        """
        for found in self.pattern.finditer(text):
            if self._holds(text, found.start()) and (better := self.mend(found)) is not None:
                yield found.start(), found.end(), better

    def _holds(self, text: str, start: int) -> bool:
        before = text[max(0, start - LOOK_BACK) : start]
        match self.place:
            case Place.SENTENCE if not _SENTENCE.search(before[-8:]):
                return False
            case Place.CLAUSE if not _CLAUSE.search(before[-10:]):
                return False
        if self.unless is None:
            return True
        ends = [found.end() for found in _SENTENCE_END.finditer(before)]
        return self.unless.search(before, ends[-1] if ends else 0) is None


def rule(
    pattern: str,
    mend: str | Mend,
    reason: str,
    *,
    at: Place = Place.ANYWHERE,
    unless: str | None = None,
) -> Rule:
    """A rule of patterns without word boundaries; a mend in words is a template of its groups."""
    compiled = re.compile(rf"(?<![\w'\]/-])(?:{pattern})(?![\w'-]|[./]\w)", re.IGNORECASE)
    barred = None if unless is None else re.compile(unless, re.IGNORECASE)
    if isinstance(mend, str):
        template = mend
        return Rule(compiled, lambda found: found.expand(template), reason, at, barred)
    return Rule(compiled, mend, reason, at, barred)


def any_of(*words: str) -> str:
    """A pattern of any of some words, the longer ones first."""
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


def group(found: re.Match[str], name: str) -> str:
    """What a group found, in small letters; empty where it found nothing."""
    return (found[name] or "").lower()


CAPITAL = r"(?-i:[A-Z][a-z]+)"
PRONOUN = r"(?:I|you|we|they|he|she|it)"
NUMBER = r"(?:two|three|four|five|six|seven|eight|nine|ten|several|[2-9]|[1-9]\d)"
KIN = any_of(
    *("mother", "father", "mum", "mom", "dad", "brother", "sister", "wife", "husband", "son"),
    *("daughter", "boss", "teacher", "grandmother", "grandfather", "uncle", "aunt", "cousin"),
    *("friend", "roommate", "manager", "colleague", "girlfriend", "boyfriend"),
)
OWN = "(?:my|our|his|her|their|your)"
END = r"(?=$|[.!?;,:…])"
"""The end of a clause that is heard."""
ENDS = (
    r"(?=$|[.!?;,:…]| (?:in|on|at|but|that|who|which|from|for|with|when|because|so|ago|about|is|are"
    r"|was|were|here|there|now|today|yesterday|then|do|does|did|i|we|they|he|she|you|every|last"
    r"|next|this|after|before|during|again|too|also|if|while|until|since)\b)"
)
"""What follows a noun that belongs to no further one: not "two day trip", "many food stalls"."""
