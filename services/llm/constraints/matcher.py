"""Where an answer stands in its constraint, in the tokens of one model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from services.llm.constraints.grammar import Grammar, limits


class Stuck(Exception):
    """No token leads on: the vocabulary lacks the bytes of a character, or a limit is reached."""


class Vocabulary:
    """A model's tokens as the automata see them; takes a quarter of a second to make."""

    def __init__(self, tokenizer_json: str, size: int, end_tokens: Sequence[int]) -> None:
        """Reads a `tokenizer.json`.

        Args:
            tokenizer_json: Its text.
            size: Width of the model's logits.
            end_tokens: Ids of the tokens that end an answer.
        """
        self.size = size
        self._tokenizer = LLTokenizer(tokenizer_json, n_vocab=size, eos_token=list(end_tokens))

    def matcher(self, grammar: Grammar) -> Matcher:
        """The beginning of a constraint."""
        return Matcher(
            LLMatcher(self._tokenizer, grammar.text, log_level=0, limits=limits()),
            grammar,
            self.size,
        )


class Matcher:
    """A place in a constraint. Not safe to share between threads."""

    def __init__(self, matcher: LLMatcher, grammar: Grammar, size: int) -> None:
        self._matcher = matcher
        self._size = size
        self.grammar = grammar

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next, bool [vocabulary]; an end token only where it may end.

        Raises:
            Stuck: None may.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        mask = np.unpackbits(bits, bitorder="little", count=min(self._size, bits.size * 8))
        allowed = np.zeros(self._size, dtype=np.bool_)
        allowed[: mask.size] = mask
        if self._matcher.is_error() or not allowed.any():
            raise Stuck
        return allowed

    def forced(self) -> list[int]:
        """The tokens that must come next, as far as there is no choice; often none."""
        return list(self._matcher.compute_ff_tokens())

    def accept(self, token: int) -> None:
        """Takes an allowed token.

        Raises:
            Stuck: It turns out not to be one.
        """
        if not self._matcher.consume_token(token):
            raise Stuck

    @property
    def over(self) -> bool:
        """Whether the answer is whole and nothing can be added."""
        return bool(self._matcher.is_stopped()) or (
            bool(self._matcher.is_accepting()) and self._only_the_end()
        )

    def _only_the_end(self) -> bool:
        copy = self._matcher.deep_copy()
        return not np.any(np.frombuffer(copy.compute_bitmask(), dtype=np.uint8)) or bool(
            copy.is_stopped()
        )
