"""The packaged candidate answers questions there are."""

from __future__ import annotations

from services.cli.demo import INTERVIEW
from services.interview.questions.bank import load_bank


def test_every_question_of_the_demo_is_in_the_bank() -> None:
    bank = load_bank()
    assert [bank.find(prepared.question_id) is not None for prepared in INTERVIEW] == [True, True]
