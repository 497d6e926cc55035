"""How a window's own sign of its language and what was known before are weighed together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

OTHERS = ""
"""The entry of a prior for all the languages that it does not name."""
_LEAST = 0.01
"""Probabilities below count as this: a window is never surer of a language than 100 to 1."""
FULL_WEIGHT_SECONDS = 3.0
"""Speech whose evidence counts once; twice as much counts twice, and that is the most."""


def evidence_against(probability: float, seconds: float) -> float:
    """What a window of that length says against a language it gives that probability.

    A logarithm from 0 up, at most 9.2: detection on two seconds of speech is often wrong, and sure
    of it, so what it says counts for less than what longer speech says.
    """
    return -math.log(max(_LEAST, probability)) * min(2.0, seconds / FULL_WEIGHT_SECONDS)


def among(
    detected: Sequence[tuple[str, float]], possible: Sequence[str]
) -> tuple[tuple[str, float], ...]:
    """What a window says if it can only be in the `possible` languages; none named are all."""
    if not possible:
        return tuple(detected)
    chosen = [(code, probability) for code, probability in detected if code in possible]
    total = sum(probability for _, probability in chosen) or 1.0
    return tuple((code, probability / total) for code, probability in chosen)


def ranked(
    detected: Sequence[tuple[str, float]],
    prior: Sequence[tuple[str, float]],
    seconds: float,
) -> list[tuple[str, float]]:
    """The languages a window may be in, each with its probability, the likeliest first.

    Args:
        detected: What the window alone says, the likeliest first.
        prior: What was known before; see `Window`. Empty: nothing.
        seconds: Length of its speech.
    """
    if not prior:
        return list(detected)
    weights: Mapping[str, float] = dict(prior)
    others = weights.get(OTHERS, 0.0)
    scores = {
        code: weights.get(code, others) * math.exp(-evidence_against(probability, seconds))
        for code, probability in detected
    }
    total = sum(scores.values()) or 1.0
    best = sorted(scores, key=scores.__getitem__, reverse=True)
    return [(code, scores[code] / total) for code in best]


def exchanged(
    detected: Sequence[tuple[str, float]], one: str, other: str
) -> tuple[tuple[str, float], ...]:
    """What a window says with two languages' probabilities exchanged, the likeliest first."""
    names = {one: other, other: one}
    swapped = ((names.get(code, code), probability) for code, probability in detected)
    return tuple(sorted(swapped, key=lambda each: each[1], reverse=True))
