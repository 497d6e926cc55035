"""The last look at a constrained answer: a server elsewhere may not have kept the constraint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from llguidance import LLMatcher

from services.llm.chat import Choice, JsonSchema, Regex
from services.llm.constraints.grammar import Grammar, bytes_tokenizer, limits


class ConstraintBroken(ValueError):
    """An answer that is not what was asked for."""


def verify(grammar: Grammar, answer: str) -> None:
    """Checks a whole answer; in time linear in it, whatever the constraint.

    Raises:
        ConstraintBroken: With what is wrong.
    """
    match grammar.source:
        case Choice(options=options):
            if answer not in options:
                raise ConstraintBroken("the answer is none of the choices")
        case Regex():
            if not _accepts(grammar.text, answer):
                raise ConstraintBroken("the answer does not match the regular expression")
        case JsonSchema(text=schema):
            _verify_json(json.loads(schema), answer)


def _accepts(grammar: str, text: str) -> bool:
    matcher = LLMatcher(bytes_tokenizer(), grammar, log_level=0, limits=limits())
    return bool(matcher.consume_tokens(list(text.encode())) and matcher.is_accepting())


def _verify_json(schema: Any, answer: str) -> None:
    try:
        value = json.loads(
            answer, object_pairs_hook=_without_duplicates, parse_constant=_not_of_json
        )
    except RecursionError:
        raise ConstraintBroken("the answer is nested too deeply to read") from None
    except ValueError as error:
        raise ConstraintBroken(f"the answer is not JSON: {error}") from None
    if any(key == "patternProperties" for key in _keys(schema)):
        # jsonschema compares property names by a backtracking engine of its own.
        return
    problem = next(iter(_checker(schema).iter_errors(value)), None)
    if problem is not None:
        raise ConstraintBroken(f"the answer breaks the schema's {problem.validator!r}")


def _checker(schema: Any) -> Any:
    import referencing

    # An empty registry: nothing is fetched, whatever a schema refers to.
    return _dialect()(schema, registry=referencing.Registry())


@cache
def _dialect() -> Any:
    """JSON Schema 2020-12, its patterns matched without backtracking.

    A hostile pattern could keep Python's own engine busy for ever.
    """
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(_: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not _accepts(
            _string_grammar(pattern), json.dumps(instance, ensure_ascii=False)
        ):
            yield ValidationError("the pattern is not matched")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": pattern})


@lru_cache(maxsize=64)
def _string_grammar(pattern: str) -> str:
    return LLMatcher.grammar_from_json_schema(json.dumps({"type": "string", "pattern": pattern}))


def _keys(schema: Any) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as members:
                yield from members
                waiting += members.values()
            case list() as items:
                waiting += items


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members


def _not_of_json(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
