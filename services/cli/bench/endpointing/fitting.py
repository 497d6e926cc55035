"""Fits `model.json` to the fitted half of `pauses.csv`: seconds of arithmetic, always the same.

python -m services.cli.bench.endpointing.fitting
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.cli.bench.endpointing import table
from services.cli.bench.endpointing.cases import Case, cases
from services.cli.bench.endpointing.policies import Judged, Ours, with_prices
from services.interview.endpointing.features import features
from services.interview.endpointing.model import FILE, Model, PauseGroup
from services.interview.endpointing.pace import LEAST_PAUSE

Float64 = npt.NDArray[np.float64]

WORDINGS = 3
SEED = "fit"
CUT_INS, WITH_OPENERS = 0.035, 0.045
"""Shares of the inner pauses that may be cut on the fitted half: by content, and by openers that
meet the speaker's next words as well. Less than the 5 % that may be cut of answers never seen."""
_RIDGE = 3.0
_STEPS = 30
_FOLDS = 6


def fit(rows: Sequence[table.Row]) -> Model:
    """The model that fits the fitted half of a table best."""
    known = cases(rows, "fitted", wordings=WORDINGS, seed=SEED)
    pauses = pause_groups([c.length for c in known if c.length is not None])
    names = list(features(known[0].pause, known[0].asked))
    model = Model(regression(known, names), pauses, 1.0, 1.0)
    return with_prices(model, *_prices(known, names, model))


def regression(known: Sequence[Case], names: Sequence[str]) -> dict[str, float]:
    """Weights of a logistic regression with a ridge, by Newton's method (Cessie & Houwelingen)."""
    seen = [features(case.pause, case.asked) for case in known]
    inputs = np.array([[values[name] for name in names] for values in seen])
    over = np.array([case.length is None for case in known], dtype=np.float64)
    weights = np.zeros(len(names))
    ridge = np.full(len(names), _RIDGE)
    ridge[names.index("always")] = 1e-3
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs.T * (expected * (1 - expected))) @ inputs + np.diag(ridge)
        weights += np.linalg.solve(curvature, inputs.T @ (over - expected) - ridge * weights)
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


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


def _prices(known: Sequence[Case], names: Sequence[str], model: Model) -> tuple[float, float]:
    """The least prices that keep cut-ins in bounds on answers left out of the regression."""
    answers = sorted({_answer(case) for case in known})
    held_out: list[tuple[Judged, Ours]] = []
    for fold in range(min(_FOLDS, len(answers))):
        left_out = set(answers[fold::_FOLDS])
        weights = regression([c for c in known if _answer(c) not in left_out], names)
        judged = Judged([c for c in known if _answer(c) in left_out])
        held_out.append((judged, Ours(judged, Model(weights, model.pauses, 1.0, 1.0))))

    def mean(shares: Sequence[float]) -> float:
        sizes = [float((~judged.over).sum()) for judged, _ in held_out]
        return float(np.average(shares, weights=sizes))

    steps = [float(price) for price in np.round(np.geomspace(0.3, 100, 90), 3)]

    def cut(price: float) -> float:
        return mean([judged.point("", ours.due(price)).cut_ins for judged, ours in held_out])

    cut_in = next((price for price in steps if cut(price) <= CUT_INS), steps[-1])

    def with_openers(price: float) -> float:
        return mean([ours.first_sound(cut_in, price).cut_ins for _, ours in held_out])

    return cut_in, next(
        price for price in steps if price >= cut_in or with_openers(price) <= WITH_OPENERS
    )


def _answer(case: Case) -> str:
    return case.source.split()[0]


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
