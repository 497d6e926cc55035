"""When each written word is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.tts.normalization import Utterance
from services.tts.pacing import voiced_region
from services.tts.speech import Speech, TokenSpan


@dataclass(frozen=True, slots=True)
class WordMark:
    """A written word and its place in text and sound.

    Attributes:
        text: As written.
        text_offset: Where it begins in the segment's text, in Unicode code points.
        start, end: Seconds from the start of the phrase's audio.
    """

    text: str
    text_offset: int
    start: float
    end: float


def word_marks(utterance: Utterance, speech: Speech) -> list[WordMark]:
    """The marks of an utterance: the engine's own places, or an estimate when it has none."""
    spans = speech.spans or estimated_spans(utterance, speech)
    rate = speech.sample_rate_hz
    return [
        WordMark(
            utterance.tokens[span.token].written,
            utterance.tokens[span.token].offset,
            span.start / rate,
            span.end / rate,
        )
        for span in spans
    ]


def estimated_spans(utterance: Utterance, speech: Speech) -> Sequence[TokenSpan]:
    """Places in proportion to the words' letters, laid over what is voiced.

    A mark between words counts as some letters of silence, which is about its pause.
    """
    begin, end = voiced_region(speech.samples, speech.sample_rate_hz)
    weights = [
        (_weight(token.spoken), _PAUSE_LETTERS if token.after else 0) for token in utterance.tokens
    ]
    total = sum(map(sum, weights)) - weights[-1][1]
    spans = []
    position = float(begin)
    scale = (end - begin) / max(total, 1)
    for index, (letters, pause) in enumerate(weights):
        stop = position + letters * scale
        spans.append(TokenSpan(index, round(position), round(stop)))
        position = stop + pause * scale
    return spans


_PAUSE_LETTERS = 3
# A Chinese character is a syllable, about four Latin letters long.
_HAN_LETTERS = 4


def _weight(spoken: str) -> int:
    return sum(1 if character.isascii() else _HAN_LETTERS for character in spoken) + 1
