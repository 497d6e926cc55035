"""Answers whose tokens are chosen outside of CTranslate2: constrained ones and seeded ones.

CTranslate2 decodes in one call and takes neither a mask nor a seed. So it proposes: it decodes
greedily, and at each step the token is chosen here from the same logits. While the two agree the
call goes on at full speed; where they differ it is stopped, and the next call begins after the
token that was chosen. Tokens that the constraint forces (JSON keys, say) are appended without a
step. What comes out is exactly what choosing at every step would yield.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from services.llm.chat import FinishReason
from services.llm.constraints import Stuck
from services.llm.endings import finish_short, finish_whole
from services.llm.generation import Generation
from services.llm.generator_cache import Lease
from services.llm.sampling import Sampler
from services.llm.tokenizer import ByteLevelTokenizer
from services.llm.turns import Turns

_PROPOSED = 32
"""Most tokens a call proposes: it keeps the logits of each, 0.2 MB, until it returns."""


class Guide:
    """Computes one generation."""

    def __init__(self, generation: Generation, tokenizer: ByteLevelTokenizer, end: int) -> None:
        """Takes the generation, the model's tokenizer and the id of its end token."""
        self._generation = generation
        self._tokenizer = tokenizer
        self._end = end
        self._sampler = generation.sampler or Sampler(generation.sampling)
        generation.sampler = self._sampler
        self._failure: Exception | None = None
        self._stuck = False
        self._turn_over: Callable[[], bool] = lambda: False

    def run(self, lease: Lease, turns: Turns) -> None:
        """Generates until the answer or its turn is over.

        Raises:
            FailedPrecondition: The constraint cannot be kept or completed.
        """
        generation = self._generation
        begun = len(generation.answer)
        self._turn_over = lambda: turns.over(generation, len(generation.answer) - begun)
        try:
            self._append_forced()
        except Stuck:
            self._stuck = True
        first = True
        while not generation.stopped and (first or not self._turn_over()):
            first = False
            if self._stuck or generation.remaining <= 0:
                self._complete()
                return
            self._propose(lease)

    def _propose(self, lease: Lease) -> None:
        generation = self._generation
        prefix = lease.prefix
        lease.generator.generate_batch(
            [self._tokenizer.tokens([*generation.prompt[len(prefix) :], *generation.answer])],
            static_prompt=self._tokenizer.tokens(prefix) or None,
            include_prompt_in_result=False,
            max_length=min(generation.remaining, _PROPOSED),
            return_logits_vocab=True,
            # Room for the end token to be chosen although it was not proposed, and the reverse.
            return_end_token=True,
            callback=lambda result: self._step(lease, result),
        )
        if self._failure is not None:
            raise self._failure

    def _step(self, lease: Lease, result: Any) -> bool:
        """Chooses a token; true stops the call."""
        lease.mark_computed()
        if self._generation.cancelled:
            return True
        try:
            return self._choose(np.asarray(result.logits)[0], int(result.token_id))
        except Stuck:
            self._stuck = True
            return True
        except Exception as error:  # noqa: BLE001 - carried over CTranslate2's stack
            self._failure = error
            return True

    def _choose(self, logits: Any, proposed: int) -> bool:
        generation, matcher = self._generation, self._generation.matcher
        allowed = None if matcher is None else matcher.allowed()
        token = self._sampler.choose(logits, generation.answer, allowed)
        if token == self._end:
            self._finish()
            return True
        self._append(token)
        forced = self._append_forced()
        return forced or generation.stopped or token != proposed or self._turn_over()

    def _append(self, token: int) -> None:
        generation = self._generation
        if generation.matcher is not None:
            generation.matcher.accept(token)
        generation.append(token, self._tokenizer.token_bytes(token))

    def _append_forced(self) -> bool:
        """Appends what must come next without asking the model; whether there was any."""
        generation, matcher = self._generation, self._generation.matcher
        if matcher is None or generation.stopped:
            return False
        forced = matcher.forced()
        for token in forced:
            if token == self._end or generation.remaining <= 0:
                break
            self._append(token)
        if matcher.over:
            self._finish()
        return bool(forced)

    def _finish(self) -> None:
        finish_whole(self._generation, self._answer())

    def _complete(self) -> None:
        """Ends an answer that has no tokens left, or none that fits."""
        generation = self._generation
        if generation.matcher is None:
            generation.finish(FinishReason.LENGTH)
        else:
            finish_short(generation, generation.matcher, self._answer(), self._tokenizer.encode)

    def _answer(self) -> bytes:
        return b"".join(map(self._tokenizer.token_bytes, self._generation.answer))
