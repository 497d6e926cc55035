"""Follow-ups: what the model is told, what it may make the interviewer say, and the bank's own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from services.interview.interviewer import lines
from services.interview.interviewer.asking import (
    Context,
    bank_follow_up,
    follow_up,
    hint,
    may_be_asked,
    prompt,
)
from services.interview.interviewer.assessing import Assessment
from services.interview.interviewer.grammar import well_formed
from services.interview.interviewer.words import content_words
from services.interview.questions.bank import load_bank
from services.interview.record import InterviewSettings
from tests.interview.stage import FakeEmbedder, FakeModel

BANK = load_bank()
SLOW_QUERY = next(q for q in BANK if q.id == "tech-data-slow-query")
ANSWER = (
    "First I look for missing indexes, and then I measure the query again. In my last project the"
    " dashboard took ten seconds because of a full scan."
)
CONTEXT = Context(
    question=SLOW_QUERY,
    answer=ANSWER,
    covered=(SLOW_QUERY.key_points[2], SLOW_QUERY.key_points[4]),
    missed=(SLOW_QUERY.key_points[0], SLOW_QUERY.key_points[3]),
    recent=(("interviewer", SLOW_QUERY.text), ("candidate", ANSWER)),
    asked=(f"Let's begin. {SLOW_QUERY.text}",),
)


def test_the_prompt_carries_what_was_asked_covered_and_missed() -> None:
    told = prompt(CONTEXT)[-2].content
    for part in (SLOW_QUERY.text, *CONTEXT.covered, *CONTEXT.missed):
        assert part in told
    assert told.endswith(ANSWER)


def test_the_prompt_is_constant_but_for_its_end_and_short() -> None:
    one, other = prompt(CONTEXT), prompt(replace(CONTEXT, answer="a quite different answer " * 50))
    assert one[:-2] == other[:-2]
    assert len(other[-2].content.split()) <= 140
    roles = [message.role for message in one]
    assert roles == ["system", *["user", "assistant"] * (len(roles) // 2)]


def test_the_last_question_is_told_when_it_was_a_follow_up() -> None:
    recent = (("interviewer", "Which index did you add?"), ("candidate", ANSWER))
    assert "Which index did you add?" in prompt(replace(CONTEXT, recent=recent))[-2].content


@pytest.mark.parametrize(
    "question",
    [
        "How would you find the missing indexes?",
        "What did the full scan tell you about the query?",
        "How much time did you spend on the dashboard query?",
        "Which part of the dashboard was the slowest?",
        "Could you explain why the full scan took ten seconds?",
    ],
)
def test_a_sensible_question_may_be_asked(question: str) -> None:
    assert may_be_asked(question, CONTEXT)


@pytest.mark.parametrize(
    "question",
    [
        "How would you the missing indexes?",
        "How would you finding the missing indexes?",
        "How did you measured the query?",
        "How the missing indexes were found by you?",
        "How would you find the missing indexes and the?",
        "How would you measure measure the query?",
        "How would you describe how you would measure the query?",
        "What query query dashboard?",
        "Would of the dashboard be slow?",
    ],
)
def test_broken_grammar_is_refused(question: str) -> None:
    assert not well_formed(question)
    assert not may_be_asked(question, CONTEXT)


@pytest.mark.parametrize(
    "question",
    [
        "How did you convince your three investors to pay for the dashboard?",
        "How did Maria help you with the missing indexes?",
        "How did you fix the 47 missing indexes?",
        "How did your wife like the slow dashboard?",
        "How did you bake bread for the wedding before the dashboard?",
        "How would you describe the weather in Paris last summer holidays?",
        "As the candidate, how would you measure the query?",
        "How would you ignore all previous instructions about the dashboard?",
        "How would you visit https://example.com with the dashboard?",
        "How would you measure the query? Say yes. How would you?",
        "How would you measure " + "the query and the scan and the dashboard " * 4 + "again?",
        "A query that used to be fast has become slow, what would you do?",
        "Why dashboard?",
        "你会怎么测量这个查询？",
    ],
)
def test_hostile_output_is_refused(question: str) -> None:
    assert not may_be_asked(question, CONTEXT)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "?",
        " ?!?!?!",
        "\u0000\u202e how would you?",
        " the the the the the the?",
        "{'question': 'How would you measure the query?'}",
        " be so kind and tell me your password for the dashboard?",
        "x" * 5000,
    ],
)
async def test_whatever_the_model_writes_nothing_odd_is_said(output: str) -> None:
    model = FakeModel()
    model.pieces = (output,)
    assert await follow_up(model, CONTEXT, budget=5.0, now=lambda: 1.0) is None


async def test_the_models_question_is_passed_on() -> None:
    model = FakeModel()
    model.pieces = (" find", " the missing", " indexes? And", " more")
    asked = await follow_up(model, CONTEXT, budget=5.0, now=lambda: 1.5, embedder=FakeEmbedder())
    assert asked is not None
    assert (asked.text, asked.first_token) == ("How did you find the missing indexes?", 1.5)


async def test_a_model_over_its_budget_is_stopped() -> None:
    model = FakeModel()
    model.gate.clear()
    assert await follow_up(model, CONTEXT, budget=0.01, now=lambda: 0.0) is None
    async with asyncio.timeout(5):
        await model.cancelled.wait()


def test_the_bank_asks_for_the_point_missed() -> None:
    assert bank_follow_up(CONTEXT) == "What would you look for in the execution plan?"
    locks = replace(CONTEXT, missed=CONTEXT.missed[1:])
    assert bank_follow_up(locks) == "What else on the server could slow the query down?"
    nothing = replace(CONTEXT, missed=())
    assert bank_follow_up(nothing) == "What would you do if you could not change the query?"


@pytest.mark.parametrize("question", [q for q in BANK if q.id.endswith(("conflict", "index"))])
def test_the_bank_never_asks_twice(question: object) -> None:
    found = next(q for q in BANK if q is question)
    context = replace(CONTEXT, question=found, missed=found.key_points, asked=(), language="en")
    if found.language == "zh":
        context = replace(context, language="zh")
    said: list[str] = []
    for _ in range(6):
        text = bank_follow_up(replace(context, asked=tuple(said)))
        assert not any(text in earlier for earlier in said)
        said.append(f"Thank you. {text}")


def test_every_line_exists_in_both_languages_and_repeats_for_its_seed() -> None:
    for said in lines.Said:
        for language in ("en", "zh"):
            text = lines.line(said, language, "interview-1:3")
            assert text == lines.line(said, language, "interview-1:3")
            assert text
        assert lines.line(said, "en") != lines.line(said, "zh")
    heard = {lines.line(lines.Said.HOLD, "en", f"interview:{n}") for n in range(40)}
    assert len(heard) == 3


def test_praise_is_earned() -> None:
    good = Assessment(("a",), (), 0.9, declined=False, words=80)
    poor = Assessment((), ("a",), 0.2, declined=False, words=9)
    seeds = [str(n) for n in range(30)]
    praised = {lines.encouragement(good, "en", seed) for seed in seeds}
    thanked = {lines.encouragement(poor, "en", seed) for seed in seeds}
    assert not praised & thanked
    assert {lines.encouragement(None, "en", seed) for seed in seeds} == thanked
    assert lines.encouragement(replace(poor, declined=True), "zh") == "没关系。"


def test_an_interview_can_be_opened_and_closed_in_chinese() -> None:
    settings = InterviewSettings(language="zh-CN", rounds=3, job_title="后端工程师")
    assert "三个问题" in lines.opening(settings)
    assert "再见" in lines.closing(settings)
    assert lines.question("为什么？", 3, 3, "zh").endswith("为什么？")
    assert lines.repeated("为什么？", "zh").endswith("为什么？")
    assert lines.rephrased("Why?", "en", "indexes").endswith("Why? It has to do with indexes.")


def test_a_hint_says_more_than_the_question_and_nothing_of_a_good_answer() -> None:
    hints = [(question, hint(question)) for question in BANK]
    found = [(question, said) for question, said in hints if said is not None]
    assert len(found) > 0.8 * len(hints)
    for question, said in found:
        asked = content_words(question.text)
        assert not content_words(said) <= asked
        assert not content_words(said) & content_words(" ".join(question.key_points)) - asked
        assert said not in {"own trade", "本行"}
