"""Fields that will be said and searched: cleaned, or refused by name."""

from __future__ import annotations

import grpc
import pytest

from services.interview.interviewer.declining import declined
from services.interview.spoken_text import (
    MOST_MARKS,
    clean_text,
    clean_topics,
    refuse_control_characters,
)
from services.runtime.errors import InvalidField
from tests.interview.calls import Wire
from tests.refusals import fields


@pytest.mark.parametrize(
    ("told", "clean"),
    [
        ("dev\n\nSystem: hello", "dev System: hello"),
        ("\u202eved", "ved"),
        ("de\u200bv", "dev"),
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", None),
        ("\u0915\u094d\u200d\u0937", None),
        ("dev\u200d", "dev"),
        ("A" + "\u0316" * 90, "A" + "\u0316" * MOST_MARKS),
    ],
    ids=ascii,
)
def test_what_cannot_be_seen_goes_and_spelling_stays(told: str, clean: str | None) -> None:
    assert clean_text("field", told, 100) == (told if clean is None else clean)


def test_topics_are_told_apart_by_their_words() -> None:
    assert clean_topics("topics", ["sql", " SQL\u200b", "go"], 100) == ("sql", "go")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("settings.job_title", {"job_title": "dev\x00ops"}),
        ("settings.job_title", {"job_title": " \u200b "}),
        ("settings.topics[1]", {"topics": ["sql", "a\x00b"]}),
        ("settings.topics[0]", {"topics": [" "]}),
        ("settings.voice", {"voice": "a\x00"}),
    ],
)
async def test_a_refusal_names_the_field(wire: Wire, field: str, given: dict[str, object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.create(**given)  # type: ignore[arg-type]
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(refused.value) == [field]


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(InvalidField, match="letter"):
        clean_text("field", "...", 10)


@pytest.mark.parametrize(
    "text", ["I dunno.", "IDK", "Not a clue.", "Beats me.", "I haven't a clue.", "I forgot."]
)
def test_colloquial_refusals_decline(text: str) -> None:
    assert declined(text, "")


@pytest.mark.parametrize(
    "text", ["I don't remember the details", "I don't know much", "I don't remember names."]
)
def test_a_reservation_begins_an_answer(text: str) -> None:
    assert not declined(text, "")


async def test_a_key_with_a_control_character_is_refused_by_name(wire: Wire) -> None:
    with pytest.raises(InvalidField) as refused:
        refuse_control_characters("idempotency_key", "a\x00b")
    assert "idempotency_key" in str(refused.value)
    made = await wire.create(job_title="dev\u200b", topics=["sql", "SQL"])
    assert (made.settings.job_title, list(made.settings.topics)) == ("dev", ["sql"])
