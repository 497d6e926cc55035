"""What a turn may know of the turns before it: their text, their language, their sound."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis
from services.asr.language import LanguageBelief

_TEXT = 400
"""Characters of earlier text that are kept: more than a prompt takes."""
_TRUSTED = 0.55
"""Probability from which a text may be a prompt: a wrong one spoils what comes after it."""
_SURE_LANGUAGE = 0.6
_MOST_SOUND = 8 * SAMPLE_RATE
"""Earlier speech that a turn is decoded with."""
_LEAST_SOUND = 4 * SAMPLE_RATE
_QUIET = round(0.1 * SAMPLE_RATE)
"""Of a turn that is too long the end is kept, from the quietest such stretch on."""
_JOINT = np.zeros(round(0.3 * SAMPLE_RATE), dtype=np.float32)
"""Silence between earlier speech and the turn: with pauses as long as they were, Whisper loops."""


@dataclass(frozen=True, slots=True, eq=False)
class _Settled:
    turn: int
    hypothesis: Hypothesis
    samples: Float32
    evidence: tuple[tuple[str, float], ...]
    evidence_seconds: float


class StreamContext:
    """What one stream has said so far."""

    def __init__(self) -> None:
        self._belief = LanguageBelief()
        self._text = ""
        self._language = ""
        self._turns: deque[Float32] = deque()
        """Speech of the newest turns, with a short silence behind each."""
        self._newest: _Settled | None = None

    def settle(
        self,
        turn: int,
        hypothesis: Hypothesis,
        samples: Float32,
        evidence: tuple[tuple[str, float], ...],
        evidence_seconds: float,
    ) -> None:
        """Takes the end of a turn; the newest of a turn counts, once a later turn asks.

        Args:
            turn: Its number.
            hypothesis: The final text of its last window.
            samples: That window's speech.
            evidence: The languages it was heard as; see Hypothesis.
            evidence_seconds: Length of the speech that says so.
        """
        self._newest = _Settled(turn, hypothesis, samples, evidence, evidence_seconds)

    def prior(self, turn: int) -> tuple[tuple[str, float], ...]:
        """Weights of the languages for a turn; see Window."""
        self._remember_before(turn)
        return self._belief.prior

    def text(self, turn: int, language: str | None) -> str:
        """What was said before a turn, if in its language; None while that is not known."""
        self._remember_before(turn)
        return self._text if language in (None, self._language) else ""

    def language(self, turn: int) -> str:
        """The language of the turns before a turn; empty while there is none to go by."""
        self._remember_before(turn)
        return self._language

    def has_earlier(self, turn: int) -> bool:
        """Whether there is speech before a turn."""
        self._remember_before(turn)
        return bool(self._turns)

    def earlier(self, turn: int) -> Float32 | None:
        """The newest speech before a turn, with a short silence behind it; None without any."""
        return np.concatenate(self._turns) if self.has_earlier(turn) else None

    def _remember_before(self, turn: int) -> None:
        if self._newest is not None and self._newest.turn != turn:
            self._remember(self._newest)
            self._newest = None

    def _remember(self, settled: _Settled) -> None:
        hypothesis, samples = settled.hypothesis, settled.samples
        if hypothesis.text and not _is_refuted(settled):
            self._belief.hear(settled.evidence, settled.evidence_seconds)
        if not hypothesis.text:
            return
        trusted = hypothesis.reliable and hypothesis.probability >= _TRUSTED
        if hypothesis.language != self._language:
            # What is not sure is in another language may be in none.
            if not trusted and (self._language or hypothesis.language_probability < _SURE_LANGUAGE):
                return
            self._text, self._language = "", hypothesis.language
            self._turns.clear()
        if trusted:
            self._text = (self._text + hypothesis.text)[-_TEXT:]
        # Speech says who speaks and how, even where its text is doubtful.
        self._turns.append(_end_of(samples))
        while sum(map(len, self._turns)) > _MOST_SOUND and len(self._turns) > 1:
            self._turns.popleft()


def _end_of(samples: Float32) -> Float32:
    """A turn's speech, or so much of its end as is kept, with a short silence behind it."""
    if len(samples) > _MOST_SOUND - len(_JOINT):
        region = samples[len(samples) - _MOST_SOUND + len(_JOINT) : len(samples) - _LEAST_SOUND]
        stretches = region[: len(region) // _QUIET * _QUIET].reshape(-1, _QUIET)
        quietest = int(np.argmin(np.mean(stretches**2, axis=1)))
        samples = samples[len(samples) - _MOST_SOUND + len(_JOINT) + quietest * _QUIET :]
    return np.concatenate((samples, _JOINT))


def _is_refuted(settled: _Settled) -> bool:
    """Whether a probable text shows that the turn was heard as a language that it is not in."""
    heard = settled.evidence[0][0] if settled.evidence else settled.hypothesis.language
    return heard != settled.hypothesis.language and settled.hypothesis.probability >= _TRUSTED
