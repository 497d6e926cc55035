"""Whether to answer now, to wait, or to say a little something: pure and quick.

Waiting costs time if the answer is over, and answering cuts the candidate short if it is not. The
best moment to answer is where the sum of both is least, and until then the decision is to wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from services.interview.endpointing.features import features
from services.interview.endpointing.model import Model, fitted
from services.interview.endpointing.moment import Asked, Pause
from services.interview.endpointing.pace import SpeakerPace
from services.interview.record import Patience

__all__ = [
    "CEILING_SECONDS",
    "Asked",
    "Decision",
    "Pause",
    "SpeakerPace",
    "Verdict",
    "ceiling",
    "decide",
]

CEILING_SECONDS = 4.0
"""The longest silence that is waited for at NORMAL patience."""
EARLIEST_SECONDS = 0.4
"""Seconds of silence before which nothing is decided: until then the recogniser's words are those
before the last ones, and many stops of the voice are no pauses."""
STEP_SECONDS = 0.05
OPENER_SECONDS = 0.5
"""How long an opener sounds. The content waits for its end: where the answer is due by then, an
opener would only put it off."""
BACK_CHANNEL_SECONDS = 1.2
"""How long a word of patience sounds, likewise."""
_BACK_CHANNEL_SHARE = 0.75
"""Of the ceiling: after so much silence in the middle of a thought a word of patience is due, or
sooner, to be over by then."""
MID_THOUGHT = 0.05
"""The probability of an end, before the silence says anything, under which the candidate is in the
middle of a thought: they are waited for up to the ceiling, and told so on the way."""


class Decision(Enum):
    """What to do now."""

    WAIT = auto()
    BACK_CHANNEL = auto()
    """A word of patience may be said ("Take your time."); the turn stays the candidate's."""
    OPENER = auto()
    """A low-commitment "Okay." may be said; the content waits."""
    ANSWER = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision, and when to decide again.

    Attributes:
        decision: What to do.
        look_again: The silence, in seconds, at which to decide again if nothing came before; None
            once the decision is ANSWER.
        probability: That the answer is over.
    """

    decision: Decision
    look_again: float | None
    probability: float


@dataclass(frozen=True, slots=True)
class _Temper:
    """What patience changes: the price of a cut-in, and the longest silence in seconds."""

    price: float
    ceiling: float


_TEMPERS: Mapping[Patience, _Temper] = MappingProxyType(
    {
        Patience.BRISK: _Temper(0.5, 2.5),
        Patience.NORMAL: _Temper(1.0, CEILING_SECONDS),
        Patience.PATIENT: _Temper(3.0, 2 * CEILING_SECONDS),
    }
)


@dataclass(frozen=True, slots=True)
class Moments:
    """When, in seconds of silence, what is due at a pause.

    Attributes:
        at_once: The probability that the answer is over, before the silence says anything.
        opener: When an opener is due; None if it would not be over before the answer.
        back_channel: When a word of patience is due; None except in the middle of a thought.
        answer: When the answer is due.
    """

    at_once: float
    opener: float | None
    back_channel: float | None
    answer: float


def ceiling(patience: Patience) -> float:
    """The longest silence that is waited for, in seconds."""
    return _TEMPERS[patience].ceiling


def decide(pause: Pause, asked: Asked, pace: SpeakerPace, patience: Patience) -> Verdict:
    """What to do at this moment of a pause.

    With the same words and sound, longer silence never turns an ANSWER back into waiting.
    """
    model = fitted()
    due = moments(model, model.at_once(features(pause, asked)), pace, patience)
    silence = pause.silence
    probability = model.probability(due.at_once, silence, pace.slowness)
    if silence >= due.answer:
        return Verdict(Decision.ANSWER, None, probability)
    decision = Decision.WAIT
    if due.back_channel is not None and silence >= due.back_channel:
        decision = Decision.BACK_CHANNEL
    elif due.opener is not None and silence >= due.opener:
        decision = Decision.OPENER
    later = [due.opener, due.back_channel, due.answer]
    return Verdict(decision, min(m for m in later if m is not None and m > silence), probability)


def moments(model: Model, at_once: float, pace: SpeakerPace, patience: Patience) -> Moments:
    """When what is due at a pause, if the candidate stays silent and nothing new is understood."""
    temper = _TEMPERS[patience]
    # Waiting is measured in the speaker's own pace: a slow one is given that much more time.
    slowness = pace.slowness
    times = [EARLIEST_SECONDS]
    while times[-1] + STEP_SECONDS < temper.ceiling:
        times.append(round(times[-1] + STEP_SECONDS, 3))
    times.append(temper.ceiling)
    shares = [model.goes_on(time, slowness) for time in times]

    def best(price: float) -> float:
        costs = (
            at_once * time + price * slowness * (1 - at_once) * share
            for time, share in zip(times, shares, strict=True)
        )
        return min(zip(costs, times, strict=True))[1]

    if at_once < MID_THOUGHT:
        word = min(_BACK_CHANNEL_SHARE * temper.ceiling, temper.ceiling - BACK_CHANNEL_SECONDS)
        return Moments(at_once, None, word, temper.ceiling)
    answer = best(model.cut_in_cost * temper.price)
    opener = best(model.opener_cost * temper.price)
    in_time = opener + OPENER_SECONDS <= answer
    return Moments(at_once, opener if in_time else None, None, answer)
