"""The last look at a constrained answer: a server elsewhere may not have kept the constraint."""

from __future__ import annotations

import json
from typing import Any

from llguidance import LLMatcher, LLTokenizer

from services.llm.chat import Choice, JsonSchema, Regex
from services.llm.constraints.grammar import Grammar


class ConstraintBroken(ValueError):
    """An answer that is not what was asked for."""


def verify(grammar: Grammar, answer: str) -> None:
    """Checks a whole answer.

    Values are checked against a JSON schema but for its patterns: those are run by a
    backtracking engine, which a hostile pattern could keep busy for ever.

    Raises:
        ConstraintBroken: With what is wrong.
    """
    match grammar.source:
        case Choice(options=options):
            if answer not in options:
                raise ConstraintBroken("the answer is none of the choices")
        case Regex():
            matcher = LLMatcher(LLTokenizer("byte"), grammar.text, log_level=0)
            whole = matcher.consume_tokens(list(answer.encode()))
            if not (whole and matcher.is_accepting()):
                raise ConstraintBroken("the answer does not match the regular expression")
        case JsonSchema(text=schema):
            _verify_json(schema, answer)


def _verify_json(schema: str, answer: str) -> None:
    import jsonschema

    try:
        value = json.loads(answer, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ConstraintBroken("the answer is nested too deeply to read") from None
    except ValueError as error:
        raise ConstraintBroken(f"the answer is not JSON: {error}") from None
    if '"pattern' in schema:
        return
    checker = jsonschema.Draft202012Validator(json.loads(schema))
    problem = next(iter(checker.iter_errors(value)), None)
    if problem is not None:
        raise ConstraintBroken(f"the answer breaks the schema's {problem.validator!r}")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members
