"""The ways of endpointing side by side, on the same pauses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.cli.bench.endpointing.plot import Curve
from services.cli.bench.endpointing.policies import (
    FirstSound,
    Judged,
    Ours,
    Point,
    frontier,
    quickest,
    smart_turn,
    smart_turn_tuned,
    vad_alone,
)
from services.cli.bench.frame import Figure, percentile
from services.interview.endpointing.model import Model

BUDGET = 0.05
MOST_OF_VAD, MOST_OF_SMART_TURN = 0.65, 0.8
VAD, PIPECAT, TUNED, OURS = (
    "voice activity alone",
    "Smart Turn alone, as Pipecat",
    "Smart Turn alone, tuned",
    "ours",
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What each way of endpointing costs on some pauses.

    Attributes:
        name: Whose pauses.
        inner: How many of them are inside answers.
        ends: How many answers end.
        curves: By way of endpointing, the points that none of the same way beats.
        packaged: Ours as it is configured.
        first_sound: Ours as it is configured, openers included.
    """

    name: str
    inner: int
    ends: int
    curves: Mapping[str, Sequence[Point]]
    packaged: Point
    first_sound: FirstSound

    def best(self, way: str) -> Point:
        """The least delay at 5 % cut-ins."""
        return quickest(self.curves[way], BUDGET)

    def plotted(self) -> Mapping[str, Curve]:
        """The curves for a plot."""
        return {
            way: [(point.cut_ins, point.delay) for point in points]
            for way, points in self.curves.items()
        }

    def figures(self) -> list[Figure]:
        """The numbers, with the targets where they are of everything judged."""
        best = {way: self.best(way).delay for way in self.curves}
        ours, vad, tuned = best[OURS], best[VAD], best[TUNED]
        sound, delays = self.first_sound, list(self.packaged.delays)
        sounds = list(sound.delays)
        return [
            Figure(f"{self.name}: pauses inside answers", self.inner, "pauses"),
            Figure(f"{self.name}: ends of answers", self.ends, "answers"),
            *(
                Figure(f"{self.name}: {way}, mean delay at 5 % cut-ins", delay, "s")
                for way, delay in best.items()
            ),
            Figure(f"{self.name}: ours over {VAD}", ours / vad, "x", most=MOST_OF_VAD),
            Figure(f"{self.name}: ours over {TUNED}", ours / tuned, "x", most=MOST_OF_SMART_TURN),
            Figure(
                f"{self.name}: as packaged, cut-ins", 100 * self.packaged.cut_ins, "%", most=5.0
            ),
            Figure(f"{self.name}: as packaged, first content, mean", float(np.mean(delays)), "s"),
            Figure(f"{self.name}: as packaged, first content, p50", percentile(delays, 50), "s"),
            Figure(f"{self.name}: as packaged, first content, p95", percentile(delays, 95), "s"),
            Figure(f"{self.name}: as packaged, first sound, mean", float(np.mean(sounds)), "s"),
            Figure(f"{self.name}: as packaged, first sound, p50", percentile(sounds, 50), "s"),
            Figure(f"{self.name}: openers inside answers", 100 * sound.inside, "% of pauses"),
            Figure(
                f"{self.name}: cut-ins, openers that speech meets included",
                100 * sound.cut_ins,
                "%",
                most=5.0,
            ),
        ]


def compare(name: str, judged: Judged, model: Model) -> Comparison:
    """Judges every way on the same pauses.

    Raises:
        LookupError: There is no pause inside an answer, or no end of one.
    """
    inner, ends = int((~judged.over).sum()), int(judged.over.sum())
    if not inner or not ends:
        raise LookupError(f"{name}: no pause of 0.2 s inside an answer, or no end of an answer")
    ours = Ours(judged, model)
    curves = {
        VAD: frontier(list(vad_alone(judged))),
        PIPECAT: frontier(list(smart_turn(judged))),
        TUNED: frontier(list(smart_turn_tuned(judged))),
        OURS: frontier(list(ours.points())),
    }
    return Comparison(name, inner, ends, curves, ours.packaged(), ours.first_sound())
