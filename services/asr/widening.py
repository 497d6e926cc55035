"""A turn is heard together with the speech before it, where that makes its text surer.

A short answer alone gives Whisper little to go by; with what was said before it, it knows the
voice, the room, the language and the subject. So a short turn is decoded with the speech before
it, and alone only where that is not convincing; a longer one first alone, and together where its
text is in doubt. On the tuning recordings Whisper base got a quarter fewer words wrong so
(docs/asr.md). A doubtful turn too long for that has the earlier text as its
prompt; no other has: Whisper base makes a mistake of one turn again in the next when it reads it
there (5.9 % wrong words with prompts, 5.2 % without).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.asr.engines.engine import (
    SAMPLE_RATE,
    Float32,
    Hypothesis,
    Window,
    mean_probability,
)

SHORT_SECONDS = 4.0
"""Turns up to here are first heard together with the speech before them."""
LONGEST_SECONDS = 8.0
"""Turns from here on have enough of their own."""
_UNSURE = 0.72
"""Probability under which a text is decoded again: of turns of four to eight seconds, Whisper base
understood nearly all with more."""
_UNSURE_LONG = 0.6
_WORDS_OVER_TEXT = 0.2
"""How much more probable a text's words are than the text with its timestamps and its end."""
_CONVINCING = 0.75 - _WORDS_OVER_TEXT
"""Probability from which the text heard together needs no second opinion."""
_UNSURE_LANGUAGE = 0.6
_SHORTEST_WORD = 0.05
"""Seconds."""
_MOST_WORDS = 8.0
"""A second; twice a fast speaker's. More are a loop."""


def is_unsure(alone: Hypothesis, seconds: float) -> bool:
    """Whether a text is worth hearing once more with what came before it."""
    if not alone.text:
        return not alone.reliable
    least = _UNSURE if seconds <= LONGEST_SECONDS else _UNSURE_LONG
    return (
        not alone.reliable
        or alone.probability < least
        or alone.language_probability < _UNSURE_LANGUAGE
    )


def is_convincing(together: Hypothesis) -> bool:
    """Whether a text heard together with earlier speech needs no second opinion."""
    return together.reliable and bool(together.text) and together.probability >= _CONVINCING


def better(alone: Hypothesis, together: Hypothesis) -> Hypothesis:
    """The more probable of a turn's text alone and together with what came before it."""
    if not together.reliable or not together.text:
        return alone
    return together if together.probability > alone.probability or not alone.reliable else alone


@dataclass(frozen=True, slots=True, eq=False)
class Widening:
    """What a turn is decoded together with.

    Attributes:
        earlier: The speech before it; None where there is none, or no room for it.
        context: The text before it.
        lead: Seconds from the beginning of its window to its first speech.
    """

    earlier: Float32 | None
    context: str
    lead: float = 0.0

    def window(self, alone: Window) -> Window:
        """The turn's window with the earlier speech in front; else with the text before it."""
        if self.earlier is None:
            return replace(alone, context=self.context, final=False)
        return replace(
            alone,
            samples=np.concatenate((self.earlier, alone.samples)),
            word_offsets=True,
            final=False,
        )

    def own(self, heard: Hypothesis) -> Hypothesis:
        """What of a window's text is the turn's; its language is that of all of it."""
        heard = replace(heard, detected=())
        if self.earlier is None:
            return heard
        joint = len(self.earlier) / SAMPLE_RATE
        # By where words end: the first of a turn is often timed as if it began in the silence.
        words = [word for word in heard.words if word.end > joint + self.lead + _SHORTEST_WORD]
        mean = mean_probability(words)
        seconds = words[-1].end - words[0].start if words else 0.0
        return replace(
            heard,
            text="".join(word.text for word in words),
            reliable=heard.reliable and len(words) <= 3 + _MOST_WORDS * seconds,
            words=tuple(
                replace(word, start=max(0.0, word.start - joint), end=word.end - joint)
                for word in words
            ),
            probability=max(0.0, mean - _WORDS_OVER_TEXT),
            word_probability=mean,
        )
