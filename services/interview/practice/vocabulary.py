"""How rich the words are: how many different ones, and which plain ones carry too much."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
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
    "get": "receive, become, obtain",
    "very": "extremely, particularly, remarkably",
    "really": "truly, particularly, remarkably",
    "maybe": "perhaps, possibly, I suppose",
    "like": "enjoy, am fond of, prefer",
}
"""Plain words with others that say more. "Like" is counted as a verb only."""

_LIKE = re.compile(r"(?:i|we|they|you|would|also|really|don't) like", re.IGNORECASE)
_STRONGER = {
    "good": "excellent", "bad": "terrible", "big": "huge", "small": "tiny", "happy": "delighted",
    "tired": "exhausted", "hungry": "starving", "cold": "freezing", "hot": "boiling",
    "interesting": "fascinating", "beautiful": "gorgeous", "angry": "furious", "clean": "spotless",
    "dirty": "filthy", "funny": "hilarious", "old": "ancient", "scared": "terrified",
}  # fmt: skip
_VERY = re.compile(rf"\bvery ({'|'.join(_STRONGER)})\b", re.IGNORECASE)


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
    found: list[Choice] = []
    places: dict[str, list[Evidence]] = defaultdict(list)
    for turn in turns:
        found += [
            Choice(match[0].lower(), _STRONGER[match[1].lower()], (_at(turn, match[0]),))
            for match in _VERY.finditer(turn.text)
        ]
        for word in _occurrences(turn):
            places[word.text].append(Evidence(turn.id, word.start, word.end, word.text))
    often = sorted(places.items(), key=lambda each: -len(each[1]))
    found += [
        Choice(word, PLAIN[word], tuple(where[:SHOWN]))
        for word, where in often
        if len(where) >= OFTEN
    ]
    return tuple(found)


def _occurrences(turn: Turn) -> list[SpokenWord]:
    """The plain words of a turn; of a typed one all stand at its own place."""
    spoken = turn.words or tuple(SpokenWord(w, turn.start, turn.end) for w in turn.text.split())
    verbs = len(_LIKE.findall(turn.text))
    found = []
    for word in spoken:
        plain = re.sub(r"[^a-z']", "", word.text.lower())
        if plain == "like":
            verbs -= 1
            if verbs < 0:
                continue
        if plain in PLAIN:
            found.append(SpokenWord(plain, word.start, word.end))
    return found


def _at(turn: Turn, quote: str) -> Evidence:
    wanted = quote.lower().split()
    plain = [re.sub(r"[^a-z']", "", word.text.lower()) for word in turn.words]
    for place in range(len(plain) - len(wanted) + 1):
        if plain[place : place + len(wanted)] == wanted:
            first, last = turn.words[place], turn.words[place + len(wanted) - 1]
            return Evidence(turn.id, first.start, last.end, quote)
    return Evidence(turn.id, turn.start, turn.end, quote)
