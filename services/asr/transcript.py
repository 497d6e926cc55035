"""What a listener is told: words, transcripts, and the events of a live stream.

Times are seconds from the start of the stream or recording.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeAlias

from services.asr.endpointing import EndReason


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word, when it was said, and the model's probability of it."""

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a turn or in a stretch of a recording.

    Attributes:
        text: Empty when nobody spoke.
        words: Only when asked for; their texts are the text's words.
        language: Language code; empty without text.
        language_confidence: 1 when the caller named the language.
        confidence: Mean word probability.
        start: Where the speech starts.
        end: Where it ends.
    """

    text: str
    words: tuple[TimedWord, ...]
    language: str
    language_confidence: float
    confidence: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Model work: seconds waited, seconds computed, the largest batch shared."""

    queue_time: float = 0.0
    compute_time: float = 0.0
    batch_size: int = 0

    def plus(self, queue_time: float, compute_time: float, batch_size: int) -> Cost:
        """The sum with one more decode."""
        return Cost(
            self.queue_time + queue_time,
            self.compute_time + compute_time,
            max(self.batch_size, batch_size),
        )


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Someone began to speak."""

    start: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What has been understood so far: what stays, what may change, up to where it was heard."""

    stable: str
    unstable: str
    heard: float


@dataclass(frozen=True, slots=True)
class EagerEndOfTurn:
    """The speaker has probably finished."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The speaker went on after an EagerEndOfTurn."""

    start: float


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The speaker has finished; `finalization` is the time from that decision to the final text."""

    transcript: Transcript
    reason: EndReason
    finalization: float
    cost: Cost


Event: TypeAlias = SpeechStarted | Partial | EagerEndOfTurn | TurnResumed | EndOfTurn


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """An event and the number of its turn, from 1."""

    turn: int
    event: Event


# Words between spaces; characters of scripts without spaces, each with its punctuation.
_TOKEN = re.compile(r"[぀-ヿ㐀-鿿豈-﫿][^\w\s]*|[^\s぀-ヿ㐀-鿿豈-﫿]+")


def timed_words(text: str, heard: Sequence[TimedWord]) -> tuple[TimedWord, ...]:
    """The words of `text`, timed by the words an engine heard.

    The two differ where an earlier text was already promised; letters are matched, and a word
    without any match takes the time between its neighbours.
    """
    letters = "".join(c.casefold()[0] for word in heard for c in word.text if c.isalnum())
    ends: list[int] = []
    for word in heard:
        ends.append((ends[-1] if ends else 0) + sum(map(str.isalnum, word.text)))
    tokens = [match[0] for match in _TOKEN.finditer(text)]
    wanted = "".join(c.casefold()[0] for token in tokens for c in token if c.isalnum())
    owner: dict[int, int] = {}
    for block in SequenceMatcher(None, wanted, letters, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            owner[block.a + offset] = bisect.bisect_right(ends, block.b + offset)
    return _timed(tokens, heard, owner)


def _timed(
    tokens: Sequence[str], heard: Sequence[TimedWord], owner: dict[int, int]
) -> tuple[TimedWord, ...]:
    words: list[TimedWord] = []
    position = 0
    for token in tokens:
        count = sum(map(str.isalnum, token))
        sources = sorted({owner[i] for i in range(position, position + count) if i in owner})
        position += count
        if count == 0 and words:
            last = words[-1]
            words[-1] = TimedWord(f"{last.text} {token}", last.start, last.end, last.confidence)
        elif sources:
            spoken = [heard[i] for i in sources]
            mean = sum(word.confidence for word in spoken) / len(spoken)
            words.append(TimedWord(token, spoken[0].start, spoken[-1].end, mean))
        else:
            moment = words[-1].end if words else (heard[0].start if heard else 0.0)
            words.append(TimedWord(token, moment, moment, 0.0))
    return tuple(words)
