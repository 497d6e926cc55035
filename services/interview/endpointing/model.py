"""The calibrated model: how probable it is that an answer is over, after so much silence.

Before the silence says anything, a logistic regression over the features gives the probability
that the answer is over at this pause. Every moment of silence then speaks for it, because fewer
and fewer pauses inside answers last that long (Bayes): those are log-normal in two groups, medium
and long (Campione & Véronis 2002), and as much longer as this speaker's are.

The numbers come from `model.json`, which `python -m services.cli.bench.endpointing.fitting` writes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services.interview.endpointing.features import Features
from services.interview.endpointing.pace import LEAST_PAUSE

FILE = Path(__file__).with_name("model.json")
SAID_TO_BE_OVER = 0.6
"""At least so probable is the end where the words say it: "that's it", "I don't know"."""
SHORT_ANSWERS = 0.08
"""Of the finished sentences that may be all somebody has to say, at least so many are: some people
answer in a sentence. The answers that the model was fitted on are all longer, and would teach it
that nobody does."""
_GOES_ON = ("open_mark", "dangling", "thinking", "half", "fragment", "enumerating", "announcing")


@dataclass(frozen=True, slots=True)
class PauseGroup:
    """Pauses inside answers that are log-normal together.

    Attributes:
        share: Of all pauses.
        median: In seconds.
        spread: The standard deviation of the natural logarithm.
    """

    share: float
    median: float
    spread: float

    def longer(self, seconds: float) -> float:
        """The share of all pauses that are of this group and longer than that."""
        distance = math.log(seconds / self.median) / self.spread
        return self.share * 0.5 * math.erfc(distance / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted numbers.

    Attributes:
        weights: By feature.
        pauses: How long pauses inside answers are.
        cut_in_cost: What a cut-in costs, in seconds of waiting at the end of an answer.
        opener_cost: What an opener inside an answer costs, likewise.
    """

    weights: Mapping[str, float]
    pauses: tuple[PauseGroup, ...]
    cut_in_cost: float
    opener_cost: float

    def at_once(self, features: Features) -> float:
        """The probability that the answer is over, before the silence says anything."""
        score = sum(self.weights[name] * value for name, value in features.items())
        return max(least(features), 1 / (1 + math.exp(-min(30.0, max(-30.0, score)))))

    def goes_on(self, silence: float, slowness: float) -> float:
        """The share of this speaker's pauses inside answers that last longer than that."""
        least = sum(group.longer(LEAST_PAUSE / slowness) for group in self.pauses)
        lasting = max(silence, LEAST_PAUSE) / slowness
        return sum(group.longer(lasting) for group in self.pauses) / least

    def probability(self, at_once: float, silence: float, slowness: float) -> float:
        """The probability that the answer is over, the silence weighed in."""
        inner = (1 - at_once) * self.goes_on(silence, slowness)
        return at_once / max(1e-12, at_once + inner)


def least(features: Features) -> float:
    """The least probability that the answer is over which the words alone give."""
    goes_on = any(features[mark] for mark in _GOES_ON)
    # Who declines may still give a reason: "I don't know, but …", "I'm not sure it was, because".
    open_ended = features["leaning"] or any(features[m] for m in _GOES_ON if m != "fragment")
    if features["closing"] or (features["declining"] and not open_ended):
        return SAID_TO_BE_OVER
    finished = features["complete"] and features["final_mark"]
    return SHORT_ANSWERS if finished and not goes_on else 0.0


@cache
def fitted() -> Model:
    """The packaged model."""
    return from_json(FILE.read_text(encoding="utf-8"))


def from_json(text: str) -> Model:
    """Reads a model.

    Raises:
        ValueError: Something is missing or no number.
    """
    try:
        read = json.loads(text)
        return Model(
            weights={str(name): float(weight) for name, weight in read["weights"].items()},
            pauses=tuple(
                PauseGroup(float(g["share"]), float(g["median"]), float(g["spread"]))
                for g in read["pauses"]
            ),
            cut_in_cost=float(read["cut_in_cost"]),
            opener_cost=float(read["opener_cost"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an endpointing model: {error}") from error
