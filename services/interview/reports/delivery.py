"""How an answer was delivered: pace, fillers, pauses, from the words' times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.interview.record import SpokenWord

PACE = (110.0, 170.0)
"""Comfortable words per minute; presentations and audiobooks lie between 100 and 180."""
LONG_PAUSE_SECONDS = 1.5
"""A silence inside an answer that a listener notices."""
FILLERS = frozenset({"um", "umm", "uh", "uhh", "er", "erm", "hmm", "eh"})
FILLER_PHRASES = (("you", "know"), ("i", "mean"), ("sort", "of"), ("kind", "of"))
MIN_WORDS = 5
"""Fewer words say nothing about delivery."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Measures of one or more turns; times in seconds on the interview's clock.

    Attributes:
        words_per_minute: Over the speaking time, pauses inside an answer included.
        fillers: The filler words and phrases.
        pauses: The long silences, as their start and end.
    """

    words: int
    words_per_minute: float
    fillers: tuple[SpokenWord, ...]
    pauses: tuple[tuple[float, float], ...]

    @property
    def filler_share(self) -> float:
        """Fillers per word."""
        return len(self.fillers) / self.words

    @property
    def clarity(self) -> float:
        """0 to 100: full marks for a comfortable pace without fillers and long pauses."""
        slow, fast = PACE
        pace = self.words_per_minute
        off = max(0.0, slow - pace, pace - fast)
        minutes = self.words / max(pace, 1.0)
        pauses_per_minute = len(self.pauses) / max(minutes, 0.25)
        score = 100 - 0.6 * off - 400 * self.filler_share - 5 * pauses_per_minute
        return min(100.0, max(0.0, score))


def measure(turns: Sequence[Sequence[SpokenWord]]) -> Delivery | None:
    """Measures the words of some turns; None when too few were spoken."""
    count = sum(len(words) for words in turns)
    if count < MIN_WORDS:
        return None
    seconds = sum(words[-1].end - words[0].start for words in turns if words)
    return Delivery(
        words=count,
        words_per_minute=60.0 * count / max(seconds, 0.5),
        fillers=tuple(filler for words in turns for filler in _fillers(words)),
        pauses=tuple(
            (one.end, other.start)
            for words in turns
            for one, other in pairwise(words)
            if other.start - one.end >= LONG_PAUSE_SECONDS
        ),
    )


def _fillers(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    plain = [re.sub(r"[^a-z']", "", word.text.lower()) for word in words]
    found = []
    for index, (word, text) in enumerate(zip(words, plain, strict=True)):
        pair = tuple(plain[index : index + 2])
        # "kind of" is a filler, "what kind of" is not.
        asks = index > 0 and plain[index - 1] in {
            "what",
            "which",
            "this",
            "that",
            "some",
            "a",
            "the",
        }
        if text in FILLERS:
            found.append(word)
        elif pair in FILLER_PHRASES and not asks:
            found.append(SpokenWord(" ".join(pair), word.start, words[index + 1].end))
    return found
