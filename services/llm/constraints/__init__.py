"""Constraints: what an answer must look like, kept token by token.

The automata are llguidance's (https://github.com/guidance-ai/llguidance): it compiles JSON Schema
and regular expressions to a lexer and an Earley parser and yields masks over a model's vocabulary
in well under a millisecond, without torch. What it cannot enforce it refuses.
"""

from services.llm.constraints.completion import complete
from services.llm.constraints.grammar import Grammar, compile_constraint
from services.llm.constraints.matcher import Matcher, Stuck, Vocabulary
from services.llm.constraints.verification import ConstraintBroken, verify

__all__ = [
    "ConstraintBroken",
    "Grammar",
    "Matcher",
    "Stuck",
    "Vocabulary",
    "compile_constraint",
    "complete",
    "verify",
]
