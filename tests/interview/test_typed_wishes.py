"""What a candidate types to the interview, and not to its question, is understood as if spoken."""

from __future__ import annotations

import pytest

from services.interview.conversation import events as e
from services.interview.interviewer import lines
from services.interview.record import Phase
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


@pytest.mark.parametrize("text", ["Could you repeat the question, please?", "能再说一遍吗？"])
def test_the_question_is_repeated(text: str) -> None:
    world = after_typing(text)
    assert world.state.place.line is not None
    assert world.state.place.line.text.removeprefix("Let's begin. ") in said(world)
    assert only_aside(world)


@pytest.mark.parametrize("text", ["next question please", "skip", "换一个问题。"])
def test_the_question_is_skipped(text: str) -> None:
    world = after_typing(text)
    assert world.state.place.step.round == 2
    assert world.state.place.step.phase is Phase.QUESTION
    assert only_aside(world)


@pytest.mark.parametrize("text", ["等一下，让我想想。", "Give me a moment, please."])
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


def test_an_answer_to_that_goes_on() -> None:
    world = after_typing("Can we stop the interview here?")
    world.happen(e.Typed(ANSWER))
    world.settle()
    assert not world.state.ending
    assert world.state.answered


@pytest.mark.parametrize("text", [ANSWER, "Yes.", "...", "skip lists", "I don't know."])
def test_anything_else_is_an_answer(text: str) -> None:
    assert after_typing(text).state.answered
