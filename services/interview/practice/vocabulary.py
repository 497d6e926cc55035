"""How rich the words are: how many different ones, and which plain ones carry too much."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.interview.interviewer.words import tokens
from services.interview.record import SpokenWord, Turn
from services.interview.reports.report import Evidence

WINDOW = 50
"""Words a window of the moving-average type-token ratio (Covington and McFall 2010): the share of
different words falls with length, its average over windows does not."""
OFTEN = 3
"""A plain word that is said so often can be varied."""
SHOWN = 3

PLAIN = {
    "good": "useful, pleasant, effective",
    "nice": "friendly, lovely, comfortable",
    "bad": "unpleasant, harmful, disappointing",
    "big": "large, huge, important",
    "small": "tiny, minor, compact",
    "happy": "pleased, delighted, satisfied",
    "sad": "upset, disappointed, unhappy",
    "important": "essential, crucial, valuable",
    "interesting": "fascinating, surprising, worth seeing",
    "beautiful": "stunning, charming, picturesque",
    "difficult": "demanding, tricky, challenging",
    "thing": "a more exact word: matter, object, idea",
    "things": "a more exact word: matters, objects, ideas",
    "get": "receive, obtain, buy",
    "very": "extremely, particularly, remarkably",
    "really": "truly, particularly, remarkably",
    "maybe": "perhaps, possibly, I suppose",
    "like": "enjoy, am fond of, prefer",
}
"""Plain words with others that say more. "Like" is counted as a verb, "get" before a thing only:
"get up" has no other word."""

_LIKES = frozenset({"i", "we", "they", "you", "also", "really", "don't"})
_THING_FOLLOWS = frozenset({"a", "an", "the", "my", "some", "more", "many", "new", "any"})
_STRONGER = {
    "good": "excellent", "bad": "terrible", "big": "huge", "small": "tiny", "tired": "exhausted",
    "hungry": "starving", "interesting": "fascinating", "beautiful": "gorgeous",
    "angry": "furious", "clean": "spotless", "dirty": "filthy", "funny": "hilarious",
    "scared": "terrified",
}  # fmt: skip
"""What "very" with an adjective may be said as, whoever or whatever it is said of."""
_NO = re.compile(r"(?:not|never|nobody|nothing|hardly|cannot|without|.*n't)")
_NEGATED_FOR = 6
"""So many words after a negation it still holds: "I don't think it was very good"."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A plain wording, one that says more, and where the plain one was said."""

    said: str
    better: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Measures of the words of some turns.

    Attributes:
        words: How many.
        different: How many different ones.
        diversity: Moving-average type-token ratio, 0 to 1; conversation has about 0.7.
        choices: Plain words that are said often, and "very" with a word that has a stronger one.
    """

    words: int
    different: int
    diversity: float
    choices: tuple[Choice, ...]


def vocabulary(turns: Sequence[Turn]) -> Vocabulary:
    """Measures the words of some turns."""
    said = [word for turn in turns for word in tokens(turn.text)]
    return Vocabulary(len(said), len(set(said)), _diversity(said), _choices(turns))


def _diversity(said: Sequence[str]) -> float:
    if not said:
        return 0.0
    starts = range(max(1, len(said) - WINDOW + 1))
    shares = [len(set(part)) / len(part) for part in (said[at : at + WINDOW] for at in starts)]
    return sum(shares) / len(shares)


def _choices(turns: Sequence[Turn]) -> tuple[Choice, ...]:
    stronger: dict[str, list[Evidence]] = defaultdict(list)
    plain: dict[str, list[Evidence]] = defaultdict(list)
    for turn in turns:
        words = [(_letters(word), word) for word in _words(turn)]
        negated = 0
        for (before, _), (this, word), (after, following) in _neighbours(words):
            negated = _NEGATED_FOR if _NO.fullmatch(this) else max(0, negated - 1)
            if this == "very" and after in _STRONGER and not negated:
                said = f"{this} {after}"
                stronger[said].append(Evidence(turn.id, word.start, following.end, said))
            if _is_plain(before, this, after):
                plain[this].append(Evidence(turn.id, word.start, word.end, this))
            if word.text.rstrip().endswith((".", "!", "?")):
                negated = 0
    often = sorted(plain.items(), key=lambda each: -len(each[1]))
    return (
        *(
            Choice(said, _STRONGER[said.removeprefix("very ")], tuple(where[:SHOWN]))
            for said, where in stronger.items()
        ),
        *(
            Choice(word, PLAIN[word], tuple(where[:SHOWN]))
            for word, where in often
            if len(where) >= OFTEN
        ),
    )


def _words(turn: Turn) -> Sequence[SpokenWord]:
    """The words of a turn; of a typed one all stand at its own place."""
    return turn.words or [SpokenWord(word, turn.start, turn.end) for word in turn.text.split()]


def _letters(word: SpokenWord) -> str:
    return re.sub(r"[^a-z']", "", word.text.lower().replace("’", "'"))


_Word = tuple[str, SpokenWord]


def _neighbours(words: Sequence[_Word]) -> Iterator[tuple[_Word, _Word, _Word]]:
    """Each word with the one before and the one after it; an empty one where there is none."""
    none = ("", SpokenWord("", 0.0, 0.0))
    return zip([none, *words], words, [*words[1:], none], strict=False)


def _is_plain(before: str, word: str, after: str) -> bool:
    match word:
        case "like":
            return before in _LIKES
        case "get":
            return after in _THING_FOLLOWS
        case _:
            return word in PLAIN
