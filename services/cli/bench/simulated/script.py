"""What simulated candidates say, and what a simulated recogniser therefore understands."""

from __future__ import annotations

from itertools import cycle, islice

WORDS_PER_SECOND = 2.5
"""150 words a minute: an unhurried speaker."""

ANSWERS = (
    "I first read the query plan, because it shows whether the index is used at all.",
    "We measured how long each step took, and then we changed the slowest one first.",
    "I talked to my colleague alone, and we found out that we wanted the same thing.",
    "The release was late by a week, so I cut the scope and told the customer at once.",
)


def spoken(turn: int, seconds: float) -> str:
    """The first words of an answer, as many as are said in so many seconds."""
    words = ANSWERS[turn % len(ANSWERS)].split()
    return " ".join(islice(cycle(words), max(1, round(seconds * WORDS_PER_SECOND))))


def length(turn: int) -> float:
    """How long an answer takes, in seconds."""
    return len(ANSWERS[turn % len(ANSWERS)].split()) / WORDS_PER_SECOND
