"""The candidate's name, as the interviewer will say it."""

from __future__ import annotations

import grpc
import pytest

from services.interview.candidate_name import FIELD, LONGEST, clean_name
from services.runtime.errors import InvalidField
from tests.interview.calls import Wire
from tests.refusals import fields


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("Ann", "Ann"),
        ("  Ann\n\tLee\u00a0", "Ann Lee"),
        ("An\u200bn", "Ann"),
        ("\ufeffAnn\u202e", "Ann"),
        ("Ann\u200b \u200bLee", "Ann Lee"),
        ("An\x00n\x1b", "Ann"),
        ("\uff21\uff4e\uff4e", "Ann"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("\u674e\u660e", "\u674e\u660e"),
        ("D'Arcy-Jones 3rd", "D'Arcy-Jones 3rd"),
    ],
    ids=ascii,
)
def test_a_name_is_cleaned_of_what_cannot_be_seen(told: str, said: str) -> None:
    assert clean_name(told) == said


@pytest.mark.parametrize(
    "told",
    [" ", "\u200b\u2060", "\x00\x07", "\u3164", "\u2800", "...", "\ufdfa" * LONGEST],
    ids=ascii,
)
def test_a_name_that_cannot_be_said_is_refused(told: str) -> None:
    with pytest.raises(InvalidField):
        clean_name(told)


async def test_an_interview_keeps_the_clean_name_and_the_refusal_names_the_field(
    wire: Wire,
) -> None:
    made = await wire.create(candidate_name=" Ann\u200b\n")
    assert made.settings.candidate_name == "Ann"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await wire.create(candidate_name="\u200b \u200b")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert fields(refused.value) == [FIELD]
