"""A doubtful end of a turn is decoded again together with the speech before it.

A short answer alone gives Whisper little to go by; with the turns before it, it knows the voice,
the room, the language and the subject.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from services.asr.agreement import continuation
from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.stream_context import Earlier

_UNSURE = 0.75
"""Probability under which a text is decoded again: of short answers by synthetic voices, all that
Whisper base understood alone had more, and nine of ten that it did not had less."""
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
        earlier: The speech before the turn.
        language, languages, language_prior, hints: As of the turn's windows.
    """

    speech_end: int
    hypothesis: Hypothesis
    earlier: Earlier
    language: str | None
    languages: tuple[str, ...]
    language_prior: tuple[tuple[str, float], ...]
    hints: tuple[str, ...]

    def window(self, samples: Float32) -> Window:
        """The earlier speech and the turn's samples in one window."""
        return Window(
            samples=np.concatenate((self.earlier.samples, samples)),
            language=self.language,
            languages=self.languages,
            language_prior=self.language_prior,
            hints=self.hints,
            word_offsets=True,
            final=False,
        )

    def resolved(self, widened: Hypothesis) -> Hypothesis:
        """The better of the text in doubt and the widened window's text for the turn."""
        words = self._own_words(widened) if widened.reliable else ()
        if not words:
            return self.hypothesis
        joint = len(self.earlier.samples) / SAMPLE_RATE
        logs = [math.log(max(1e-6, word.probability)) for word in words]
        probability = math.exp(sum(logs) / len(logs))
        if self.hypothesis.reliable and probability <= self.hypothesis.probability:
            return self.hypothesis
        return replace(
            widened,
            text="".join(word.text for word in words),
            words=tuple(
                replace(w, start=max(0.0, w.start - joint), end=max(0.0, w.end - joint))
                for w in words
            ),
            probability=probability,
        )

    def _own_words(self, widened: Hypothesis) -> tuple[HypothesisWord, ...]:
        """The words after the earlier text; none where text and times do not tell where it ends."""
        length = continuation(self.earlier.text, widened.text)
        said = first = 0
        while first < len(widened.words) and said < length:
            said += len(widened.words[first].text)
            first += 1
        before, own = widened.words[:first], widened.words[first:]
        joint = len(self.earlier.samples) / SAMPLE_RATE
        if not before or not own:
            return ()
        fits = before[-1].start < joint + _SLACK and own[0].end > joint - _SLACK
        return own if fits else ()
