"""A doubtful end of a turn is decoded again together with what was said before it.

A short answer alone gives Whisper little to go by; with the turns before it, it knows the voice,
the room, the language and the subject. A turn that leaves no room for their sound has their text
as its prompt. Turns that are not in doubt have neither: Whisper base makes a mistake of one turn
again in the next when it reads it there (measured: 5.9 % wrong words with prompts, 5.2 % without).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from services.asr.agreement import continuation
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.stream_context import Earlier

_UNSURE = 0.6
"""Probability under which a text is decoded again: of short answers by synthetic voices, Whisper
base understood nearly all with more, and few with less."""
_WORDS_OVER_TEXT = 0.2
"""How much more probable a text's words are than the text with its timestamps and its end."""
_UNSURE_LANGUAGE = 0.6
_SLACK = 0.35
"""Seconds by which the words around the joint may be timed too early or too late."""


def is_unsure(hypothesis: Hypothesis) -> bool:
    """Whether a final text is worth hearing once more with what came before it."""
    if not hypothesis.text:
        return not hypothesis.reliable
    return (
        not hypothesis.reliable
        or hypothesis.probability < _UNSURE
        or hypothesis.language_probability < _UNSURE_LANGUAGE
    )


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """A doubtful text, and what may resolve it.

    Attributes:
        speech_end: Where the turn's speech ends, in samples from the start of the stream.
        hypothesis: The text in doubt.
        earlier: The speech before the turn; None where the turn leaves no room for it.
        context: The text before the turn.
        language, languages, language_prior, hints, word_offsets: As of the turn's windows.
    """

    speech_end: int
    hypothesis: Hypothesis
    earlier: Earlier | None
    context: str
    language: str | None
    languages: tuple[str, ...]
    language_prior: tuple[tuple[str, float], ...]
    hints: tuple[str, ...]
    word_offsets: bool

    def window(self, samples: Float32) -> Window:
        """The earlier speech and the turn's samples in one window; else the text before it."""
        return Window(
            samples=np.concatenate((self.earlier.samples, samples)) if self.earlier else samples,
            language=self.language,
            languages=self.languages,
            language_prior=self.language_prior,
            hints=self.hints,
            context="" if self.earlier else self.context,
            word_offsets=self.word_offsets or self.earlier is not None,
            final=False,
        )

    def resolved(self, again: Hypothesis) -> Hypothesis:
        """The better of the text in doubt and what the window says for the turn."""
        if again.reliable and self.earlier is not None:
            again = self._own(again, self.earlier)
        if not again.reliable or not again.text:
            return self.hypothesis
        better = again.probability > self.hypothesis.probability
        return again if better or not self.hypothesis.reliable else self.hypothesis

    def _own(self, widened: Hypothesis, earlier: Earlier) -> Hypothesis:
        """What of a widened window's text is the turn's; nothing where that is not clear."""
        words = _words_after(widened, earlier)
        joint = len(earlier.samples) / SAMPLE_RATE
        logs = [math.log(max(1e-6, word.probability)) for word in words]
        mean = math.exp(sum(logs) / len(logs)) if logs else 0.0
        return replace(
            widened,
            text="".join(word.text for word in words),
            words=tuple(
                replace(w, start=max(0.0, w.start - joint), end=max(0.0, w.end - joint))
                for w in words
            ),
            probability=max(0.0, mean - _WORDS_OVER_TEXT),
        )


def _words_after(widened: Hypothesis, earlier: Earlier) -> tuple[HypothesisWord, ...]:
    """The words after the earlier text; none where text and times do not tell where it ends."""
    length = continuation(earlier.text, widened.text)
    said = first = 0
    while first < len(widened.words) and said < length:
        said += len(widened.words[first].text)
        first += 1
    before, own = widened.words[:first], widened.words[first:]
    joint = len(earlier.samples) / SAMPLE_RATE
    if not before or not own:
        return ()
    fits = before[-1].start < joint + _SLACK and own[0].end > joint - _SLACK
    return own if fits else ()
