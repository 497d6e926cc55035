"""The choice of a token."""

from __future__ import annotations

import numpy as np
import pytest

from services.llm.chat import Sampling
from services.llm.sampling import Sampler

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))


def frequencies(sampling: Sampling, allowed: np.ndarray | None = None) -> list[float]:
    sampler = Sampler(sampling)
    chosen = [sampler.choose(LOGITS, (), allowed) for _ in range(4000)]
    return [chosen.count(token) / len(chosen) for token in range(4)]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert Sampler(Sampling(temperature=0)).choose(LOGITS, ()) == 0


def test_only_allowed_tokens_are_chosen() -> None:
    allowed = np.array([False, True, False, True])
    assert Sampler(Sampling(temperature=0)).choose(LOGITS, (), allowed) == 1
    assert frequencies(Sampling(temperature=1, seed=1), allowed) == pytest.approx(
        [0, 6 / 7, 0, 1 / 7], abs=0.03
    )


def test_samples_follow_the_distribution() -> None:
    assert frequencies(Sampling(temperature=1, seed=1)) == pytest.approx(
        [0.5, 0.3, 0.15, 0.05], abs=0.03
    )


def test_top_k_and_top_p_leave_out_the_unlikely() -> None:
    assert frequencies(Sampling(temperature=1, top_k=2, seed=1)) == pytest.approx(
        [5 / 8, 3 / 8, 0, 0], abs=0.03
    )
    assert frequencies(Sampling(temperature=1, top_p=0.75, seed=1)) == pytest.approx(
        [5 / 8, 3 / 8, 0, 0], abs=0.03
    )


def test_a_seed_repeats_the_choices() -> None:
    assert frequencies(Sampling(temperature=1, seed=7)) == frequencies(
        Sampling(temperature=1, seed=7)
    )


def test_the_penalty_falls_on_tokens_of_the_answer() -> None:
    logits = np.array([2.0, 1.9, -1.0], dtype=np.float32)
    sampler = Sampler(Sampling(temperature=0, repetition_penalty=1.2))
    assert sampler.choose(logits, ()) == 0
    assert sampler.choose(logits, (0,)) == 1
