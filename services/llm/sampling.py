"""The choice of a token from logits, for requests whose choice CTranslate2 cannot make itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.llm.chat import Sampling

Logits = NDArray[np.float32]


class Sampler:
    """Chooses the tokens of one answer; with a seed, the same ones every time."""

    def __init__(self, sampling: Sampling) -> None:
        """Takes a sampling in which only `top_k` and `seed` may be None."""
        self._temperature = sampling.temperature or 0.0
        self._top_p = 1.0 if sampling.top_p is None else sampling.top_p
        self._top_k = sampling.top_k
        self._penalty = sampling.repetition_penalty or 1.0
        self._random = np.random.default_rng(sampling.seed)

    def choose(
        self, logits: Logits, answer: Sequence[int], allowed: NDArray[np.bool_] | None = None
    ) -> int:
        """The next token.

        Args:
            logits: float32 [vocabulary]; not changed.
            answer: Token ids of the answer so far.
            allowed: bool [vocabulary], at least one true; None allows all.
        """
        scores = logits.astype(np.float64)
        if self._penalty != 1.0 and answer:
            used = np.unique(np.asarray(answer))
            scores[used] = np.where(
                scores[used] > 0, scores[used] / self._penalty, scores[used] * self._penalty
            )
        if allowed is not None:
            scores[~allowed] = -np.inf
        if self._temperature == 0.0:
            return int(np.argmax(scores))
        candidates = self._likeliest(scores)
        weights = np.exp((scores[candidates] - scores[candidates[0]]) / self._temperature)
        weights /= weights.sum()
        if self._top_p < 1.0:
            # The smallest set whose total reaches top_p (Holtzman et al. 2020).
            kept = int(np.searchsorted(np.cumsum(weights), self._top_p)) + 1
            candidates, weights = candidates[:kept], weights[:kept] / weights[:kept].sum()
        return int(self._random.choice(candidates, p=weights))

    def _likeliest(self, scores: NDArray[np.float64]) -> NDArray[np.intp]:
        """Ids of the tokens that can be chosen at all, likeliest first, at most `top_k`."""
        order = np.argsort(-scores, kind="stable")
        possible = int(np.count_nonzero(scores > -np.inf))
        return order[: min(possible, self._top_k or possible)]
