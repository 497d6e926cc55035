"""When each way of endpointing answers, and what that costs: cut-ins against delay.

A policy answers a pause after so much silence. It is a cut-in if the speaker would have gone on
later than that, and the delay if the answer was over (measured from the true end of the last
word). Every pause is judged for itself, whatever was decided at the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.cli.bench.endpointing.cases import Case
from services.interview.endpointing.deciding import (
    CEILING_SECONDS,
    EARLIEST_SECONDS,
    MID_THOUGHT,
    OPENER_SECONDS,
    STEP_SECONDS,
)
from services.interview.endpointing.features import features
from services.interview.endpointing.model import Model

Float64 = npt.NDArray[np.float64]

FIRST_LOOK = 0.2
"""Seconds: Smart Turn is asked so far into a pause, as Pipecat and our server do."""
PIPECAT_FALLBACK = 3.0
"""Pipecat's `stop_secs` for Smart Turn."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a policy costs at one setting.

    Attributes:
        setting: The setting, in words.
        cut_ins: Share of the pauses inside answers that it answers.
        delays: Seconds from the true end of each answer to its reply.
    """

    setting: str
    cut_ins: float
    delays: Float64

    @property
    def delay(self) -> float:
        """The mean delay in seconds."""
        return float(self.delays.mean())


class Judged:
    """Cases as arrays: [n] each, in their order."""

    def __init__(self, cases: Sequence[Case]) -> None:
        """Takes inner pauses of 0.2 s and more, and ends of answers."""
        self.cases = [case for case in cases if case.length is None or case.length >= FIRST_LOOK]
        lengths = [np.inf if case.length is None else case.length for case in self.cases]
        self.lengths = np.array(lengths)
        self.over = np.isinf(self.lengths)
        self.lags = np.array([case.lag for case in self.cases])
        self.sounds = np.array([case.pause.sound or 0.0 for case in self.cases])

    def point(self, setting: str, answered: Float64) -> Point:
        """What answering after so much silence, [n], costs."""
        cut = self.lengths[~self.over] > answered[~self.over]
        return Point(setting, float(cut.mean()), (answered + self.lags)[self.over])

    def only(self, keep: npt.NDArray[np.bool_]) -> Judged:
        """Some of the cases."""
        return Judged([case for case, kept in zip(self.cases, keep, strict=True) if kept])


def vad_alone(judged: Judged) -> Iterator[Point]:
    """A fixed silence ends every answer."""
    for silence in np.arange(0.2, CEILING_SECONDS + 1e-9, 0.02):
        yield judged.point(f"{silence:.2f} s", np.full(len(judged.lengths), silence))


def smart_turn(judged: Judged) -> Iterator[Point]:
    """Pipecat's way: an answer that sounds complete is over at once, another after 3 s."""
    for threshold in _THRESHOLDS:
        answered = np.where(judged.sounds >= threshold, FIRST_LOOK, PIPECAT_FALLBACK)
        yield judged.point(f"p ≥ {threshold:.3f}", answered)


def smart_turn_tuned(judged: Judged) -> Iterator[Point]:
    """The same with what Pipecat leaves fixed tuned as well: how soon, and how late at most."""
    for threshold in _THRESHOLDS:
        complete = judged.sounds >= threshold
        for soon in np.arange(FIRST_LOOK, 2.01, 0.1):
            for late in np.arange(soon, CEILING_SECONDS + 1e-9, 0.1):
                setting = f"p ≥ {threshold:.3f}: {soon:.1f} s, else {late:.1f} s"
                yield judged.point(setting, np.where(complete, soon, late))


_THRESHOLDS = (*np.arange(0.05, 0.951, 0.05), 0.97, 0.98, 0.99, 0.995, 0.999, 1.1)


class Ours:
    """The packaged decision: when it would answer, for any price of a cut-in."""

    def __init__(self, judged: Judged, model: Model, at_once: Float64 | None = None) -> None:
        """Takes the probabilities [n] that an answer is over if they are known already."""
        self._judged = judged
        self._model = model
        cases = judged.cases
        if at_once is None:
            at_once = np.array([model.at_once(features(c.pause, c.asked)) for c in cases])
        self.at_once = at_once
        count = round((CEILING_SECONDS - EARLIEST_SECONDS) / STEP_SECONDS) + 1
        self._times = EARLIEST_SECONDS + STEP_SECONDS * np.arange(count)
        self._slowness = np.array([case.pace.slowness for case in cases])
        paces = {case.pace.slowness for case in cases}
        shares = {pace: [model.goes_on(t, pace) for t in self._times] for pace in paces}
        self._shares = np.array([shares[case.pace.slowness] for case in cases])

    def due(self, price: float) -> Float64:
        """After how much silence the least is to be lost, [n], if a cut-in costs `price`."""
        over = self.at_once[:, None]
        cut_in = price * self._slowness[:, None] * (1 - over) * self._shares
        best = np.argmin(over * self._times + cut_in, axis=1)
        return np.where(self.at_once < MID_THOUGHT, CEILING_SECONDS, self._times[best])

    def points(self) -> Iterator[Point]:
        """The curve, from careless to careful."""
        for price in np.geomspace(0.3, 60, 400):
            yield self._judged.point(f"a cut-in costs {price:.2f} s", self.due(float(price)))

    def packaged(self) -> Point:
        """As it is configured."""
        return self._judged.point("as packaged", self.due(self._model.cut_in_cost))

    def first_sound(self, cut_in: float | None = None, opener: float | None = None) -> FirstSound:
        """What openers add, as it is configured or at other prices."""
        answered = self.due(self._model.cut_in_cost if cut_in is None else cut_in)
        first = self.due(self._model.opener_cost if opener is None else opener)
        early = first + OPENER_SECONDS <= answered
        opener_due = np.where(early, first, answered)
        inner = ~self._judged.over
        lengths = self._judged.lengths
        heard = inner & early & (lengths > opener_due)
        over_it = heard & (lengths < opener_due + OPENER_SECONDS)
        stopped = inner & ((lengths > answered) | over_it)
        return FirstSound(
            delays=(opener_due + self._judged.lags)[self._judged.over],
            inside=float(heard.sum() / inner.sum()),
            cut_ins=float(stopped.sum() / inner.sum()),
        )


@dataclass(frozen=True, slots=True)
class FirstSound:
    """What openers bring and cost.

    Attributes:
        delays: Seconds from the true end of each answer to the first sound.
        inside: Share of the pauses inside answers in which an opener is said.
        cut_ins: Share of them that are cut, openers that the speaker's next words meet included.
    """

    delays: Float64
    inside: float
    cut_ins: float


def frontier(points: Sequence[Point]) -> list[Point]:
    """The points that none beats in both, from the fewest cut-ins to the most."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (p.cut_ins, p.delay)):
        if not best or point.delay < best[-1].delay:
            best.append(point)
    return best


def quickest(points: Sequence[Point], most_cut_ins: float) -> Point:
    """The point of least delay within a budget of cut-ins.

    Raises:
        ValueError: There is none.
    """
    return min((p for p in points if p.cut_ins <= most_cut_ins), key=lambda p: p.delay)


def with_prices(model: Model, cut_in: float, opener: float) -> Model:
    """The model with other prices."""
    return replace(model, cut_in_cost=cut_in, opener_cost=opener)
