"""Constraints, with the packaged model's vocabulary and tokens drawn at random for a model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.llm.chat import Choice, Constraint, JsonSchema, Regex, Sampling
from services.llm.constraints import (
    ConstraintBroken,
    Stuck,
    Vocabulary,
    compile_constraint,
    complete,
    verify,
)
from services.llm.gguf_conversion import TOKENIZER_FILE
from services.llm.sampling import Sampler
from services.llm.tokenizer import ByteLevelTokenizer
from services.runtime.errors import InvalidField
from tests.llm.schemas import Schema, schemas

END = 2


@pytest.fixture(scope="session")
def tokenizer(packaged: Path) -> ByteLevelTokenizer:
    return ByteLevelTokenizer(packaged / TOKENIZER_FILE)


@pytest.fixture(scope="session")
def vocabulary(tokenizer: ByteLevelTokenizer) -> Vocabulary:
    return Vocabulary(tokenizer.json, tokenizer.size, [END])


def babble(
    constraint: Constraint,
    vocabulary: Vocabulary,
    tokenizer: ByteLevelTokenizer,
    *,
    tokens: int,
    seed: int,
) -> str:
    """An answer of a model that knows nothing, completed where its tokens run out."""
    grammar = compile_constraint(constraint)
    matcher = vocabulary.matcher(grammar)
    random = np.random.default_rng(seed)
    sampler = Sampler(Sampling(temperature=1, seed=seed))
    answer: list[int] = []
    while len(answer) < tokens and not matcher.over:
        logits = random.normal(size=tokenizer.size).astype(np.float32)
        try:
            token = sampler.choose(logits, answer, matcher.allowed())
            if token == END:
                return b"".join(map(tokenizer.token_bytes, answer)).decode()
            matcher.accept(token)
        except Stuck:
            break  # The vocabulary cannot write what comes next.
        answer.append(token)
    said = b"".join(map(tokenizer.token_bytes, answer))
    return (said + complete(grammar, said)).decode()


@settings(max_examples=60, deadline=None)
@given(schema=schemas, tokens=st.integers(0, 20), seed=st.integers(0, 1000))
def test_whatever_the_tokens_the_answer_is_valid(
    schema: Schema,
    tokens: int,
    seed: int,
    vocabulary: Vocabulary,
    tokenizer: ByteLevelTokenizer,
) -> None:
    constraint = JsonSchema(json.dumps(schema))
    answer = babble(constraint, vocabulary, tokenizer, tokens=tokens, seed=seed)
    jsonschema.Draft202012Validator(schema).validate(json.loads(answer))


@settings(max_examples=40, deadline=None)
@given(
    pattern=st.sampled_from(
        [
            r"[a-z]{20}",
            r"(a+b)+c",
            r"[0-9]{3}-[0-9]{4}",
            r"é{3,5}🙂",
            r".*",
            r"(yes|no|perhaps)[.!]?",
        ]
    ),
    tokens=st.integers(0, 12),
    seed=st.integers(0, 1000),
)
def test_whatever_the_tokens_the_answer_matches(
    pattern: str, tokens: int, seed: int, vocabulary: Vocabulary, tokenizer: ByteLevelTokenizer
) -> None:
    answer = babble(Regex(pattern), vocabulary, tokenizer, tokens=tokens, seed=seed)
    assert re.fullmatch(pattern, answer)


@settings(max_examples=40, deadline=None)
@given(
    options=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=4, unique=True),
    tokens=st.integers(0, 6),
    seed=st.integers(0, 1000),
)
def test_whatever_the_tokens_the_answer_is_a_choice(
    options: list[str],
    tokens: int,
    seed: int,
    vocabulary: Vocabulary,
    tokenizer: ByteLevelTokenizer,
) -> None:
    answer = babble(Choice(tuple(options)), vocabulary, tokenizer, tokens=tokens, seed=seed)
    assert answer in options


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{", "not JSON"),
        ("[" * 50_000, "not JSON"),
        ("12", "a JSON object"),
        ("false", "a JSON object"),
        ('{"not": {"type": "string"}}', "not"),
        ('{"type": "array", "uniqueItems": true}', "uniqueItems"),
        ('{"type": "word"}', "word"),
        ('{"enum": []}', "Unsatisfiable"),
        ('{"type": "integer", "minimum": 5, "maximum": 1}', "Unsatisfiable"),
        ('{"$ref": "https://example.com/schema"}', "example.com"),
        ('{"type": "string", "pattern": "("}', "unclosed group"),
        ('{"const": 1e999}', ""),
        ('{"items": {"type": "string", "minLength": 10001}}', "minLength"),
        ('{"enum": [1, -9007199254740993]}', "not exact"),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused(schema: str, says: str) -> None:
    with pytest.raises(InvalidField) as refused:
        compile_constraint(JsonSchema(schema))
    ((field, description),) = refused.value.violations
    assert field == "json_schema"
    assert says in description


@pytest.mark.parametrize(
    "pattern", ["(", "(?=x)y", r"\1", "[z-a]", "(" * 3000, "a{10001}", "a{9999999,}"]
)
def test_a_regex_that_cannot_be_kept_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidField) as refused:
        compile_constraint(Regex(pattern))
    assert refused.value.violations[0][0] == "regex"


def test_an_answer_that_would_be_too_long_cannot_be_completed() -> None:
    with pytest.raises(ConstraintBroken):
        complete(compile_constraint(Regex("(?:[a-z]{10000}){5}")), b"aaa")


def test_any_value_is_a_schema_too() -> None:
    verify(compile_constraint(JsonSchema("true")), '{"a": [1, null]}')


@pytest.mark.parametrize(
    ("constraint", "answer"),
    [
        (JsonSchema('{"type": "object"}'), '{"a": 1'),
        (JsonSchema('{"type": "object"}'), '{"a": 1, "a": 2}'),
        (JsonSchema('{"type": "object"}'), "[" * 100_000),
        (JsonSchema('{"type": "integer"}'), "true"),
        (JsonSchema('{"type": "number"}'), "NaN"),
        (JsonSchema("true"), '{"a": [-Infinity]}'),
        (JsonSchema('{"type": "string", "pattern": "^[a-c]+$"}'), '"abcd"'),
        (JsonSchema('{"type": "string", "pattern": "b"}'), '"acd"'),
        (JsonSchema('{"$defs": {"a": {"type": "null"}}, "$ref": "#/$defs/a"}'), "1"),
        (Regex("a+"), "aab"),
        (Regex("a+b"), "aa"),
        (Choice(("yes", "no")), "yes "),
    ],
)
def test_an_answer_that_breaks_its_constraint_is_noticed(
    constraint: Constraint, answer: str
) -> None:
    with pytest.raises(ConstraintBroken):
        verify(compile_constraint(constraint), answer)


@pytest.mark.parametrize("answer", ['"é🙂\\n\\u0001"', '"a\\/b\\"c\\\\"', '"/"', '""'])
def test_a_string_matches_its_pattern_however_it_is_written(answer: str) -> None:
    verify(compile_constraint(JsonSchema('{"type": "string", "pattern": "^(.|\\n)*$"}')), answer)


@pytest.mark.parametrize("keyword", ["pattern", r"\u0070attern"])
def test_a_hostile_pattern_costs_no_more_than_another(keyword: str) -> None:
    """A backtracking engine tries 2^200 ways to split these letters."""
    pattern = "^(?:(a|a)*b|a*)$"
    schema = f'{{"type": "string", "{keyword}": "{pattern}"}}'
    verify(compile_constraint(JsonSchema(schema)), f'"{"a" * 200}"')


def test_a_schema_is_never_fetched() -> None:
    schema = '{"$id": "http://127.0.0.1:9/a", "$defs": {"b": {"$id": "b"}}, "$ref": "b"}'
    verify(compile_constraint(JsonSchema(schema)), "1")
