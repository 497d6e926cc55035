"""A declined question is told as not answered: not praised, not blamed, not counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import protovalidate
import pytest

from services.interview.clients.seams import ChatMessage
from services.interview.conversation import events as m
from services.interview.events import InterviewerText, StateChanged
from services.interview.interviewer.analysing import analyse
from services.interview.interviewer.judging import Judge
from services.interview.interviewer.summarising import Reviewer, compose
from services.interview.questions.bank import load_bank
from services.interview.record import Speaker, State, Turn
from services.interview.reports.report import QuestionResult
from services.interview.wire.reports import report as wire
from tests.interview.stage import FakeEmbedder, question, stage
from tests.interview.test_reports import interview, said, typed
from tests.runtime import virtual_time

ANSWER = "We watch slow queries every Monday and add the right index."
DECLINED = "Honestly I have no idea, sorry."


async def result_of(*turns: Turn, number: int = 1) -> QuestionResult:
    result, _ = await analyse(
        FakeEmbedder(), round_number=number, question=question(1), asked="How?", turns=turns
    )
    return result


@pytest.mark.parametrize("turn", [typed(DECLINED), said(DECLINED), typed("我沒有這方面的經驗。")])
async def test_it_is_said_in_one_sentence(turn: Turn) -> None:
    report = compose(interview(turn), [await result_of(turn)])
    assert report.weaknesses == ("Question 1: not answered.",)
    assert report.strengths == ()
    assert report.dimensions == ()
    assert report.overall_score is None
    assert "None of the" in report.summary
    point = question(1).key_points[0]
    assert report.suggestions == (f"Prepare an answer to “How?”; it could begin with: {point}",)


async def test_it_is_not_counted_as_answered_and_moves_no_score() -> None:
    answered, refused = await result_of(typed(ANSWER)), await result_of(typed(DECLINED), number=2)
    alone = compose(interview(typed(ANSWER)), [answered])
    both = compose(interview(typed(ANSWER)), [answered, refused])
    assert both.summary == alone.summary
    assert both.summary.startswith("You answered 1 of")
    assert both.overall_score == alone.overall_score
    assert both.dimensions == alone.dimensions
    assert both.basis == alone.basis
    assert both.weaknesses == ("Question 2: not answered.", *alone.weaknesses)


async def test_chinese_reports_say_so_too() -> None:
    held = interview()
    chinese = replace(held, settings=replace(held.settings, language="zh-CN"))
    report = compose(chinese, [await result_of(typed("没学过这个。"))])
    assert report.weaknesses == ("问题1：没有回答。",)
    assert report.suggestions[0].startswith("为“How?”准备一个回答")


async def test_on_the_wire_it_has_no_score() -> None:
    message = wire(compose(interview(), [await result_of(typed(DECLINED))]))
    protovalidate.validate(message)
    sent = message.questions[0]
    assert sent.declined
    assert not sent.HasField("score")
    assert len(sent.key_points) == len(question(1).key_points)
    scored = wire(compose(interview(), [await result_of(typed(ANSWER))])).questions[0]
    assert scored.HasField("score")
    assert not scored.declined


async def test_declining_a_follow_up_takes_nothing_from_the_answer() -> None:
    first, second = typed(ANSWER), replace(typed(DECLINED), id="second")
    alone, both = await result_of(first), await result_of(first, second)
    assert both.score == alone.score
    assert both.dimensions == alone.dimensions
    assert both.turn_ids == ("t", "second")


async def test_a_bare_no_to_a_follow_up_that_asks_yes_or_no_is_an_answer() -> None:
    async def declines(follow_up: str) -> bool:
        lines = [replace(typed(text), speaker=Speaker.INTERVIEWER) for text in ("How?", follow_up)]
        turns = [lines[0], typed(DECLINED), lines[1], replace(typed("Never."), id="second")]
        async with asyncio.TaskGroup() as tasks:
            reviewer = Reviewer(FakeEmbedder())
            reviewer.begin(tasks, 1, question(1), turns)
            return (await reviewer.report(interview(*turns))).questions[0].declined

    assert not await declines("I see. Have you ever restored one?")
    assert await declines("I see. What did you restore?")


class Asked:
    """A model that must not be asked."""

    def chat(
        self, messages: Sequence[ChatMessage], **_: object
    ) -> AsyncIterator[str]:  # pragma: no cover
        raise AssertionError("a declined question was judged")


async def test_no_model_judges_it() -> None:
    turns = [replace(typed("How?"), speaker=Speaker.INTERVIEWER), typed(DECLINED)]
    async with asyncio.TaskGroup() as tasks:
        reviewer = Reviewer(FakeEmbedder(), judge=Judge(Asked()))  # type: ignore[arg-type]
        reviewer.begin(tasks, 1, question(1), turns)
        report = await reviewer.report(interview(*turns))
    assert report.questions[0].declined


@pytest.mark.parametrize(
    ("question_id", "text"),
    [
        ("zh-people-disagree-boss", "跳过"),
        ("zh-people-disagree-boss", "好的，下一题吧。"),
        ("beh-people-conflict", "next question"),
    ],
)
def test_no_report_is_promised_of_an_interview_that_was_skipped(
    question_id: str, text: str
) -> None:
    asked = load_bank().find(question_id)
    assert asked is not None

    async def skipped() -> None:
        language = asked.language
        async with stage(rounds=1, follow_ups=0, questions=[asked], language=language) as s:
            s.join(text_only=True)
            await s.to_first_question()
            s.seat.send(m.Typed(text))
            closing = await s.until(InterviewerText)
            ended = await s.until(StateChanged, lambda e: e.state is not State.LIVE)
        assert closing.text.startswith(
            ("Thank you, we stop here. Without", "谢谢您，我们就到这里。")
        )
        assert ended.state is State.CANCELLED

    virtual_time.run(skipped())
