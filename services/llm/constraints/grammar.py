"""A constraint of a request becomes a grammar, or a refusal that names the field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from services.llm.chat import Choice, Constraint, JsonSchema, Regex
from services.runtime.errors import InvalidField

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions

# One way to write each value: keys and separators are then forced, and forced text costs no model.
_JSON_STYLE: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
_LONGEST_REASON = 300
_MOST_REPEATED = 10_000
"""No model answers with as much; a mask over a million forced letters takes seconds."""

_LARGEST_INTEGER = 2**53 - 1
"""Up to here a double holds every integer (RFC 8259, section 6); llguidance reads doubles."""

_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_REPEATING = frozenset({"minLength", "minItems", "minProperties"})


def limits() -> LLParserLimits:
    """What a grammar may cost: llguidance's defaults, and errors that keep the schema to itself."""
    return LLParserLimits(verbose_errors=False)


@cache
def bytes_tokenizer() -> LLTokenizer:
    """A vocabulary of the 256 bytes, for automata that read text and no model's tokens."""
    return LLTokenizer("byte")


@dataclass(frozen=True, slots=True)
class Grammar:
    """A constraint that can be enforced.

    Attributes:
        source: The constraint.
        text: llguidance's form of it.
    """

    source: Constraint
    text: str


def compile_constraint(constraint: Constraint) -> Grammar:
    """Compiles a constraint; up to a second for a large one, so not on the event loop.

    Raises:
        InvalidField: It is malformed, cannot be satisfied, or says what cannot be enforced.
    """
    match constraint:
        case JsonSchema(text=text):
            return _checked(constraint, "json_schema", _from_json_schema(text))
        case Regex(pattern=pattern):
            _check_repetition("regex", pattern)
            return _checked(constraint, "regex", LLMatcher.grammar_from_regex(pattern))
        case Choice(options=options):
            text = LLMatcher.grammar_from_regex("|".join(map(_literally, options)))
            return _checked(constraint, "choice", text)


def _literally(option: str) -> str:
    """A regular expression for exactly this text, whatever its characters."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in option)


def _from_json_schema(text: str) -> str:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidField("json_schema", f"not JSON: {error}") from None
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        raise InvalidField("json_schema", "a schema is a JSON object")
    _check_schema(schema)
    try:
        return LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults=_JSON_STYLE)
    except ValueError as error:
        raise InvalidField("json_schema", _reason(str(error))) from None


def _check_repetition(field: str, pattern: str) -> None:
    for least, most in _REPETITION.findall(pattern):
        # Longer than any sensible number of digits is not worth reading as one.
        if max(len(least), len(most)) > 6 or int(least) > _MOST_REPEATED:
            raise InvalidField(field, f"repeats more than {_MOST_REPEATED} times")


def _check_schema(schema: object) -> None:
    """Refuses what would take for ever, and integers that would come out as their neighbours."""
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as members:
                for key, value in members.items():
                    if key in _REPEATING and isinstance(value, int) and value > _MOST_REPEATED:
                        raise InvalidField("json_schema", f"{key} is more than {_MOST_REPEATED}")
                    if key == "pattern" and isinstance(value, str):
                        _check_repetition("json_schema", value)
                    waiting.append(value)
            case list() as items:
                waiting += items
            case int() as number if abs(number) > _LARGEST_INTEGER:
                raise InvalidField(
                    "json_schema", f"integers beyond {_LARGEST_INTEGER} are not exact in JSON"
                )


def _checked(source: Constraint, field: str, text: str) -> Grammar:
    problem, messages = LLMatcher.validate_grammar_with_warnings(text, limits=limits())
    if problem:
        raise InvalidField(field, _reason(messages[0]))
    return Grammar(source, text)


def _reason(message: str) -> str:
    """Llguidance's message on one line, without its quotation of the grammar."""
    lines = [line.strip() for line in message.splitlines()]
    said = [line for line in lines if line and line.strip("^ ") and "|" not in line[:6]]
    return " ".join(said)[:_LONGEST_REASON]
