"""Opaque tokens: where they lead, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.interview.refusals import RefusedField
from services.interview.store.store import Place
from services.interview.tokens import (
    page_cursor,
    page_place,
    page_start,
    page_token,
    place_cursor,
    resume_token,
    resumed_seq,
)
from services.runtime.errors import FailedPrecondition

EPOCH = b"12345678"


@settings(deadline=None)
@given(seq=st.integers(0, 2**63), name=st.text(max_size=64))
def test_a_resume_token_leads_to_its_event(seq: int, name: str) -> None:
    token = resume_token(name, EPOCH, seq)
    assert token.isascii()
    assert len(token) <= 256
    assert resumed_seq(token, name, EPOCH, newest=seq) == seq


def test_a_resume_token_of_another_run_or_of_the_future_is_stale() -> None:
    token = resume_token("one", EPOCH, 7)
    for epoch, newest in ((b"87654321", 9), (EPOCH, 6), (b"", 0)):
        with pytest.raises(FailedPrecondition) as error:
            resumed_seq(token, "one", epoch, newest)
        assert error.value.reason == "RESUME_TOKEN_STALE"
        assert "ListTurns" in error.value.message


@pytest.mark.parametrize(
    "garble",
    [
        lambda _: "",
        lambda _: "é",
        lambda _: "7",
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token.swapcase(),
        lambda _: base64.urlsafe_b64encode(bytes(24)).decode(),
        lambda _: page_token("7", "events", "one"),
        lambda _: resume_token("another", EPOCH, 7),
    ],
)
def test_what_is_no_token_of_this_interview_is_refused(garble: Callable[[str], str]) -> None:
    with pytest.raises(RefusedField) as error:
        resumed_seq(garble(resume_token("one", EPOCH, 7)), "one", EPOCH, newest=9)
    assert error.value.reason == "RESUME_TOKEN_INVALID"
    assert error.value.violations[0][0] == "join.resume_token"


def test_a_page_token_is_bound_to_its_list() -> None:
    token = page_token("20", "turns", "ann", "one")
    assert page_cursor(token, "turns", "ann", "one") == "20"
    assert page_cursor(None, "turns", "ann", "one") is None
    for other in (("turns", "bob", "one"), ("turns", "ann", "two"), ("turns", "anno", "ne"), ()):
        with pytest.raises(RefusedField) as error:
            page_cursor(token, *other)
        assert error.value.reason == "PAGE_TOKEN_INVALID"


FORGED = ["abc", "-5", "+5", "٣", "²", "10\n", " 1", "1_0", "", "9" * 19, "9" * 4400]


@pytest.mark.parametrize("cursor", FORGED)
def test_a_page_token_that_somebody_wrote_is_refused_as_any_other(cursor: str) -> None:
    with pytest.raises(RefusedField) as error:
        page_start(page_token(cursor, "turns"), "turns")
    assert error.value.reason == "PAGE_TOKEN_INVALID"
    assert error.value.violations[0][0] == "page_token"


def test_a_page_begins_where_its_token_says() -> None:
    assert page_start(None, "turns") == 0
    assert page_start(page_token("20", "turns"), "turns") == 20


PLACE = Place(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "0" * 31 + "1")


def test_a_page_of_interviews_begins_behind_a_place() -> None:
    assert page_place(None, "interviews", "ann") is None
    token = page_token(place_cursor(PLACE), "interviews", "ann")
    assert page_place(token, "interviews", "ann") == PLACE


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "",
        "2026-01-01 nope",
        f"2026-01-01 {PLACE.interview_id}",
        f"0001-01-01T00:00:00+23:59 {PLACE.interview_id}",
        "2026-01-01T00:00:00+00:00 \0",
        f"2026-01-01T00:00:00+00:00 {{{PLACE.interview_id}}}",
    ],
)
def test_a_place_that_somebody_wrote_is_refused(cursor: str) -> None:
    with pytest.raises(RefusedField) as error:
        page_place(page_token(cursor, "interviews", "ann"), "interviews", "ann")
    assert error.value.reason == "PAGE_TOKEN_INVALID"
