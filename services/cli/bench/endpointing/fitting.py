"""Fits `model.json` to the fitted half of `pauses.csv`: seconds of arithmetic, always the same.

python -m services.cli.bench.endpointing.fitting
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.cli.bench.endpointing import table
from services.cli.bench.endpointing.cases import Case, cases, heard_cases
from services.cli.bench.endpointing.policies import Judged, Ours, with_prices
from services.interview.endpointing.features import features
from services.interview.endpointing.model import FILE, Model, PauseGroup, least
from services.interview.endpointing.pace import LEAST_PAUSE

Float64 = npt.NDArray[np.float64]

WORDINGS = 3
HEARD_WEIGHT = 3
"""How often words that Whisper really understood count: they are of one performance in three."""
SEED = "fit"
CUT_INS, WITH_OPENERS = 0.05, 0.052
"""Shares of the inner pauses that may be cut on the fitted half: by content, and by openers that
meet the speaker's next words as well. Less than the 5 % that may be cut of answers never seen."""
_RIDGE = 3.0
_SOUND, _SOUND_RIDGE = 0.5, 600.0
_STEPS = 30
_FOLDS = 6


@dataclass(frozen=True, slots=True)
class _Known:
    """The fitted half: cases, their features [n, names], and whose answer each is of."""

    cases: Sequence[Case]
    names: Sequence[str]
    inputs: Float64
    answers: Sequence[str]

    def weights(self, kept: npt.NDArray[np.bool_]) -> Float64:
        """The weights that fit some of the cases."""
        over = np.array([case.length is None for case in self.cases], dtype=np.float64)
        return regression(self.inputs[kept], over[kept], self.names)


def fit(rows: Sequence[table.Row]) -> Model:
    """The model that fits the fitted half of a table best."""
    found = [*cases(rows, "fitted", wordings=WORDINGS, seed=SEED, written=False)]
    found += HEARD_WEIGHT * list(heard_cases(rows, "fitted"))
    seen = [features(case.pause, case.asked) for case in found]
    names = list(seen[0])
    inputs = np.array([[values[name] for name in names] for values in seen])
    known = _Known(found, names, inputs, [case.source.split()[0] for case in found])
    everything = known.weights(np.ones(len(found), dtype=np.bool_))
    model = Model(
        weights={name: round(float(w), 4) for name, w in zip(names, everything, strict=True)},
        pauses=pause_groups([case.length for case in found if case.length is not None]),
        cut_in_cost=1.0,
        opener_cost=1.0,
    )
    return with_prices(model, *_prices(known, model))


def regression(inputs: Float64, over: Float64, names: Sequence[str]) -> Float64:
    """Weights of a logistic regression with a ridge, by Newton's method (Cessie & Houwelingen).

    The ridge draws every weight to 0 but the sound's, which is drawn to what it is worth of people:
    synthesised voices end their sentences alike, finished or not.
    """
    ridge = np.full(len(names), _RIDGE)
    ridge[names.index("always")] = 1e-3
    ridge[names.index("sound")] = _SOUND_RIDGE
    drawn_to = np.zeros(len(names))
    drawn_to[names.index("sound")] = _SOUND
    weights = drawn_to.copy()
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs.T * (expected * (1 - expected))) @ inputs + np.diag(ridge)
        slope = inputs.T @ (over - expected) - ridge * (weights - drawn_to)
        weights += np.linalg.solve(curvature, slope)
    return weights


def pause_groups(lengths: Sequence[float]) -> tuple[PauseGroup, ...]:
    """Two log-normal groups by expectation maximisation (Dempster et al. 1977)."""
    logs = np.log([length for length in lengths if length >= LEAST_PAUSE])
    shares, means, spreads = np.array([0.8, 0.2]), np.log([0.5, 1.5]), np.array([0.4, 0.4])
    for _ in range(200):
        density = shares / spreads * np.exp(-0.5 * ((logs[:, None] - means) / spreads) ** 2)
        member = density / density.sum(axis=1, keepdims=True)
        size = member.sum(axis=0)
        shares, means = size / size.sum(), (member * logs[:, None]).sum(axis=0) / size
        spreads = np.sqrt((member * (logs[:, None] - means) ** 2).sum(axis=0) / size)
    return tuple(
        PauseGroup(round(float(share), 4), round(float(np.exp(mean)), 4), round(float(spread), 4))
        for share, mean, spread in zip(shares, means, spreads, strict=True)
    )


def _prices(known: _Known, model: Model) -> tuple[float, float]:
    """The least prices that keep cut-ins in bounds on answers left out of the regression."""
    names = sorted(set(known.answers))
    scores = np.zeros(len(known.cases))
    for fold in range(_FOLDS):
        left_out = np.isin(known.answers, names[fold::_FOLDS])
        if left_out.any():
            scores[left_out] = known.inputs[left_out] @ known.weights(~left_out)
    floors = np.array([least(features(case.pause, case.asked)) for case in known.cases])
    at_once = np.maximum(floors, 1 / (1 + np.exp(-scores)))
    judged = Judged(known.cases)
    kept = np.isin(list(map(id, known.cases)), list(map(id, judged.cases)))
    ours = Ours(judged, model, at_once[kept])
    steps = [float(price) for price in np.round(np.geomspace(0.3, 100, 90), 3)]

    def cut(price: float) -> float:
        return judged.point("", ours.due(price)).cut_ins

    cut_in = _least(steps, lambda price: cut(price) <= CUT_INS)
    return cut_in, _least(
        [price for price in steps if price <= cut_in],
        lambda price: ours.first_sound(cut_in, price).cut_ins <= WITH_OPENERS,
    )


def _least(prices: Sequence[float], suffices: Callable[[float], bool]) -> float:
    """The least price that suffices, if all greater ones do; the greatest if none does."""
    return prices[min(bisect_left(prices, x=True, key=suffices), len(prices) - 1)]


def as_json(model: Model, rows: Sequence[table.Row]) -> str:
    """The model as its file, with where it comes from."""
    digest = hashlib.sha256(table.FILE.read_bytes()).hexdigest()
    content = {
        "provenance": {
            "made_by": "python -m services.cli.bench.endpointing.fitting",
            "data": "services/cli/bench/endpointing/pauses.csv, the fitted half",
            "data_sha256": digest,
            "pauses": len(rows),
            "licence": "Apache-2.0",
        },
        "weights": dict(model.weights),
        "pauses": [
            {"share": g.share, "median": g.median, "spread": g.spread} for g in model.pauses
        ],
        "cut_in_cost": model.cut_in_cost,
        "opener_cost": model.opener_cost,
    }
    return json.dumps(content, indent=2) + "\n"


def main() -> None:
    """Writes the model."""
    rows = table.read()
    FILE.write_text(as_json(fit(rows), rows), encoding="utf-8")


if __name__ == "__main__":
    main()
