"""What a candidate types to the interview, and not to its question, is understood as if spoken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.interview.conversation import events as e
from services.interview.conversation.state import SessionState
from services.interview.interviewer import lines
from services.interview.record import Phase, State
from tests.interview.test_engine import ANSWER, asked
from tests.interview.world import World


def after_typing(text: str) -> World:
    world = asked()
    world.happen(e.Typed(text))
    world.settle()
    return world


def said(world: World) -> str:
    assert world.state.floor is not None
    return world.state.floor.line.text


def only_aside(world: World) -> bool:
    """What was typed is kept, as no part of an answer."""
    candidate = [turn for turn in world.kept.values() if turn.typed]
    return len(candidate) == 1 and candidate[0].round == 0 and not world.state.answered


@pytest.mark.parametrize(
    "text",
    [
        *("Could you repeat the question, please?", "repeat pls", "can u repeat", "??"),
        *("could you repeat the qustion", "Can you hear me?", "Can you speak slower?"),
        *("能再说一遍吗？", "再说一遍 please", "repeat 一下", "聽不清楚", "说慢一点"),
    ],
)
def test_the_question_is_repeated(text: str) -> None:
    world = after_typing(text)
    assert world.state.place.line is not None
    assert world.state.place.line.text.removeprefix("Let's begin. ") in said(world)
    assert only_aside(world)


@pytest.mark.parametrize(
    "text",
    [
        *("next question please", "skip", "skip pls", "next", "next one pls", "skip this q"),
        *("换一个问题。", "OK 下一题", "skip 这题", "下一個問題", "pass吧"),
    ],
)
def test_the_question_is_skipped(text: str) -> None:
    world = after_typing(text)
    assert world.state.place.step.round == 2
    assert world.state.place.step.phase is Phase.QUESTION
    assert only_aside(world)


@pytest.mark.parametrize(
    "text",
    [
        "等一下，让我想想。",
        "Give me a moment, please.",
        "hold on pls",
        "give me 2 min",
        "brb",
        "讓我想想",
    ],
)
def test_the_turn_is_held(text: str) -> None:
    world = after_typing(text)
    assert world.state.hold is not None
    assert only_aside(world)


def test_the_end_is_asked_about_and_yes_ends_it() -> None:
    world = after_typing("Can we stop the interview here?")
    assert said(world) == lines.line(lines.Said.CONFIRM_END, "en")
    assert world.state.ending
    world.happen(e.Typed("Yes, please."))
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.CLOSING


@pytest.mark.parametrize("answered", [False, True])
def test_a_report_is_promised_to_whoever_answered(answered: bool) -> None:
    world = after_typing(ANSWER) if answered else asked()
    for text in ("Can we stop the interview here?", "Yes, please."):
        if world.state.floor is not None:
            world.play()
            world.settle()
        world.happen(e.Typed(text))
        world.settle()
    assert said(world) == lines.closing(world.script.settings, answered=answered)
    world.play()
    world.settle()
    assert world.state.state is (State.COMPLETED if answered else State.CANCELLED)


def test_no_report_is_promised_to_whoever_skipped_everything() -> None:
    world = asked()
    for _ in world.script.rounds:
        world.happen(e.Typed("next question please"))
        world.settle()
        world.play()
        world.settle()
    assert world.state.state is State.CANCELLED
    told = [turn.text for turn in world.kept.values()]
    assert told[-1] == lines.closing(world.script.settings, answered=False)


@pytest.mark.parametrize(
    "text", ["end interview", "quit", "stop", "i wanna stop", "結束面試", "结束吧 thank you"]
)
def test_a_short_wish_to_end_is_asked_about(text: str) -> None:
    world = after_typing(text)
    assert world.state.ending
    assert not world.state.answered


@pytest.mark.parametrize(
    "text",
    ["i dont understand the question", "wdym", "听不懂", "甚麼意思", "What does X mean?"],
)
def test_the_question_is_rephrased(text: str) -> None:
    world = after_typing(text)
    assert world.state.place.line is not None
    assert world.state.place.line.text.removeprefix("Let's begin. ") in said(world)
    assert only_aside(world)


def test_a_question_in_other_words_says_what_it_is_about() -> None:
    world = asked()
    first, *others = world.script.questions
    assert first is not None
    first = replace(first, tags=("operations",))
    world.script = replace(world.script, questions=(first, *others))
    world.happen(e.Typed("wdym"))
    world.settle()
    assert said(world).endswith(f"{first.text} It has to do with operations.")


@pytest.mark.parametrize("text", ["i dont understand the question", "甚麼意思"])
def test_who_does_not_understand_it_then_either_is_offered_to_skip(text: str) -> None:
    world = after_typing(text)
    world.play()
    world.settle()
    assert world.state.place.rephrased
    assert SessionState.from_json(world.state.to_json()) == world.state
    world.happen(e.Typed(text))
    world.settle()
    assert world.state.offered
    assert said(world) == lines.skip_offer("en")
    world.play()
    world.happen(e.Typed("yes"))
    world.settle()
    assert world.state.place.step.round == 2
    assert not world.state.place.rephrased


def test_an_answer_to_that_goes_on() -> None:
    world = after_typing("Can we stop the interview here?")
    world.happen(e.Typed(ANSWER))
    world.settle()
    assert not world.state.ending
    assert world.state.answered


@pytest.mark.parametrize(
    "text",
    [
        *(ANSWER, "Yes.", "...", "skip lists", "I don't know.", "stop guessing", "next i'd index"),
        *("quit smoking", "u need an index", "跳过缓存", "next 看日志", "等待锁的查询"),
    ],
)
def test_anything_else_is_an_answer(text: str) -> None:
    assert after_typing(text).state.answered
