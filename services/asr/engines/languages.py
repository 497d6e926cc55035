"""How a window's own sign of its language and what was known before are weighed together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

OTHERS = ""
"""The entry of a prior for all the languages that it does not name."""
_LEAST = 0.01
"""Probabilities below count as this: a window is never surer of a language than 100 to 1."""
_FULL_WEIGHT_SECONDS = 3.0
"""Speech whose evidence counts once; twice as much counts twice, and that is the most."""


def evidence_against(probability: float, seconds: float) -> float:
    """What a window of that length says against a language it gives that probability.

    A logarithm from 0 up, at most 9.2: detection on two seconds of speech is often wrong, and sure
    of it, so what it says counts for less than what longer speech says.
    """
    return -math.log(max(_LEAST, probability)) * min(2.0, seconds / _FULL_WEIGHT_SECONDS)


def likeliest(
    detected: Sequence[tuple[str, float]],
    prior: Sequence[tuple[str, float]],
    seconds: float,
) -> tuple[str, float]:
    """The language to decode a window in, and its probability.

    Args:
        detected: What the window alone says, the likeliest first.
        prior: What was known before; see `Window`. Empty: nothing.
        seconds: Length of its speech.
    """
    if not prior:
        return detected[0]
    weights: Mapping[str, float] = dict(prior)
    others = weights.get(OTHERS, 0.0)
    scores = {
        code: weights.get(code, others) * math.exp(-evidence_against(probability, seconds))
        for code, probability in detected
    }
    best = max(scores, key=scores.__getitem__)
    total = sum(scores.values())
    return (best, scores[best] / total) if total else detected[0]
