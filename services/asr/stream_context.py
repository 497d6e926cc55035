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
_SOUND_SECONDS = 10.0
"""Earlier speech that a doubtful turn is decoded again with."""
_JOINT = np.zeros(round(0.3 * SAMPLE_RATE), dtype=np.float32)
"""Silence between earlier speech and the turn: with pauses as long as they were, Whisper loops."""


@dataclass(frozen=True, slots=True, eq=False)
class Earlier:
    """Speech before a turn, and what was understood of it.

    Attributes:
        samples: The speech of one or more turns, with short silences behind each.
        text: Their text.
    """

    samples: Float32
    text: str


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
        self._turns: deque[Earlier] = deque()
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

    def earlier(self, turn: int, seconds: float) -> Earlier | None:
        """The newest speech that fits before a turn of that length; None where there is none."""
        self._remember_before(turn)
        room = _SOUND_SECONDS - seconds
        chosen: deque[Earlier] = deque()
        for one in reversed(self._turns):
            room -= len(one.samples) / SAMPLE_RATE
            if room < 0:
                break
            chosen.appendleft(one)
        if not chosen:
            return None
        return Earlier(
            np.concatenate([one.samples for one in chosen]), "".join(one.text for one in chosen)
        )

    def _remember_before(self, turn: int) -> None:
        if self._newest is not None and self._newest.turn != turn:
            self._remember(self._newest)
            self._newest = None

    def _remember(self, settled: _Settled) -> None:
        hypothesis, samples = settled.hypothesis, settled.samples
        if hypothesis.text and not _is_refuted(settled):
            self._belief.hear(settled.evidence, settled.evidence_seconds)
        if not hypothesis.text or not hypothesis.reliable or hypothesis.probability < _TRUSTED:
            return
        if hypothesis.language != self._language:
            self._text, self._language = "", hypothesis.language
            self._turns.clear()
        self._text = (self._text + hypothesis.text)[-_TEXT:]
        if len(samples) > _SOUND_SECONDS * SAMPLE_RATE:
            self._turns.clear()
            return
        self._turns.append(Earlier(np.concatenate((samples, _JOINT)), hypothesis.text))
        while sum(len(one.samples) for one in self._turns) > _SOUND_SECONDS * SAMPLE_RATE:
            self._turns.popleft()


def _is_refuted(settled: _Settled) -> bool:
    """Whether a probable text shows that the turn was heard as a language that it is not in."""
    heard = settled.evidence[0][0] if settled.evidence else settled.hypothesis.language
    return heard != settled.hypothesis.language and settled.hypothesis.probability >= _TRUSTED
