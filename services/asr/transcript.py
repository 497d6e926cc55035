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
    """A word, when it was said, and the model's probability of it if it gave one."""

    text: str
    start: float
    end: float
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a turn or in a stretch of a recording.

    Attributes:
        text: Empty when nobody spoke.
        words: Only when asked for; their texts are the text's words.
        language: Language code; empty without text.
        language_confidence: Probability of the detected language; None without text, or when the
            caller named the language.
        confidence: Mean word probability; None without text.
        start: Where the speech starts.
        end: Where it ends.
    """

    text: str
    words: tuple[TimedWord, ...]
    language: str
    language_confidence: float | None
    confidence: float | None
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
    """What has been understood so far.

    Attributes:
        stable: What stays.
        unstable: What may change.
        heard: Up to where it was heard.
        words: The words of what stays, when asked for.
        language: Language code; None while it is not certain.
    """

    stable: str
    unstable: str
    heard: float
    words: tuple[TimedWord, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """The speaker is silent; `completion` is the probability that the turn is over, if known."""

    silence: float
    speech_end: float
    completion: float | None


@dataclass(frozen=True, slots=True)
class EagerEndOfTurn:
    """The speaker has probably finished."""

    transcript: Transcript


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The speaker went on after a Pause or an EagerEndOfTurn."""

    start: float


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """The speaker has finished; `finalization` is the time from that decision to the final text."""

    transcript: Transcript
    reason: EndReason
    finalization: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class Finalized:
    """A Finalize was carried out; whether there was a turn to end."""

    turn_ended: bool


Event: TypeAlias = (
    SpeechStarted | Partial | Pause | EagerEndOfTurn | TurnResumed | EndOfTurn | Finalized
)


@dataclass(frozen=True, slots=True)
class TurnEvent:
    """An event and the number of its turn, from 1; None for what belongs to no turn."""

    turn: int | None
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
            known = [word.confidence for word in spoken if word.confidence is not None]
            mean = sum(known) / len(known) if known else None
            words.append(TimedWord(token, spoken[0].start, spoken[-1].end, mean))
        else:
            moment = words[-1].end if words else (heard[0].start if heard else 0.0)
            words.append(TimedWord(token, moment, moment, None))
    return tuple(words)
