"""The end of an answer that ran out of tokens: the short way to where its constraint accepts."""

from __future__ import annotations

import string

from llguidance import LLMatcher

from services.llm.constraints.grammar import Grammar, bytes_tokenizer, limits
from services.llm.constraints.verification import ConstraintBroken

_GREEDY_STEPS = 4096
_PATIENT_STEPS = 4096
_MANY = 16
_QUOTE = ord('"')
# What closes comes before what goes on, and what is plain before what is not.
_PLAIN = string.digits + string.ascii_letters + string.printable
_ORDER = bytes(dict.fromkeys([*b'}]"', *_PLAIN.encode(), *range(256)]))


def complete(grammar: Grammar, answer: bytes) -> bytes:
    """Bytes after which `answer` satisfies the grammar.

    A walk byte by byte that always takes what closes first. Where that goes round in circles a
    second walk takes turns at each set of choices (a rotor-router walk), which gets out of any
    circle.

    Args:
        grammar: The constraint.
        answer: A beginning of some string the grammar accepts; may end within a character.

    Raises:
        ConstraintBroken: No end was found within 4,096 steps.
    """
    closing = _walk(grammar, answer, _GREEDY_STEPS, in_turns=False)
    if closing is None:
        closing = _walk(grammar, answer, _PATIENT_STEPS, in_turns=True)
    if closing is None:
        raise ConstraintBroken("no short end was found")
    return closing


def _walk(grammar: Grammar, answer: bytes, longest: int, *, in_turns: bool) -> bytes | None:
    matcher = LLMatcher(bytes_tokenizer(), grammar.text, log_level=0, limits=limits())
    if not matcher.consume_tokens(list(answer)):
        return None
    closing = bytearray()
    turns: dict[bytes, int] = {}
    steps = 0
    while not matcher.is_accepting():
        if (steps := steps + 1) > longest or matcher.is_error():
            return None
        forced = matcher.compute_ff_bytes()
        if forced:
            step = forced
        else:
            mask = matcher.compute_bitmask()[:32]
            choices = _choices(mask)
            if not choices:
                return None
            turn = turns.get(mask, 0) if in_turns else 0
            turns[mask] = turn + 1
            step = bytes([choices[turn % len(choices)]])
        if not matcher.consume_tokens(list(step)):
            return None
        closing += step
    return bytes(closing)


def _choices(mask: bytes) -> list[int]:
    """The bytes a mask of 256 bits allows, best first."""
    choices = [byte for byte in _ORDER if mask[byte >> 3] >> (byte & 7) & 1]
    if len(choices) > _MANY and _QUOTE in choices:
        # Inside a string a bracket is a letter like others; only the quotation mark closes it.
        choices.remove(_QUOTE)
        choices.insert(0, _QUOTE)
    return choices
