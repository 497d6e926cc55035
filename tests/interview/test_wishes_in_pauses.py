"""What a candidate wants of an interview that is paused is no answer, and is granted after it."""

from __future__ import annotations

import pytest

from services.interview.conversation import events as e
from services.interview.conversation.state import OrderKind
from services.interview.interviewer import lines
from services.interview.record import Phase, State
from tests.interview.test_engine import ANSWER, asked
from tests.interview.test_typed_wishes import only_aside, said
from tests.interview.world import PCM, World

END_QUESTION = lines.line(lines.Said.CONFIRM_END, "en")
WISH = "I want to end the interview"


def order(world: World, kind: OrderKind) -> None:
    world.orders += 1
    world.happen(e.Ordered(kind, world.orders))
    world.settle()


def types(world: World, text: str) -> None:
    world.happen(e.Typed(text))
    world.settle()


def paused() -> World:
    world = asked()
    world.pass_time(2)
    order(world, OrderKind.PAUSE)
    return world


def resumed_after(*typed: str) -> World:
    world = paused()
    for text in typed:
        types(world, text)
    assert world.state.state is State.PAUSED
    order(world, OrderKind.RESUME)
    return world


def answered_in(world: World) -> list[int]:
    """The rounds that what was typed belongs to; 0 for none."""
    return [turn.round for turn in world.kept.values() if turn.typed]


def test_a_wish_to_stop_is_asked_about_at_the_resume() -> None:
    world = resumed_after(WISH)
    assert said(world) == END_QUESTION
    assert only_aside(world)
    types(world, "Yes")
    assert world.state.place.step.phase is Phase.CLOSING


def test_a_question_is_skipped_at_the_resume() -> None:
    world = resumed_after("skip this question please")
    assert (world.state.place.step.phase, world.state.place.step.round) == (Phase.QUESTION, 2)
    assert only_aside(world)


@pytest.mark.parametrize("text", ["Could you repeat the question?", "give me a moment please"])
def test_the_question_comes_once_more_at_the_resume(text: str) -> None:
    world = resumed_after(text)
    assert world.state.place.line is not None
    assert said(world) == world.state.place.line.text
    assert only_aside(world)


def test_an_answer_that_is_typed_in_a_pause_is_one_and_takes_a_wish_back() -> None:
    world = resumed_after("skip this question please", ANSWER)
    assert answered_in(world) == [0, 1]
    assert world.state.place.step.round == 1
    world = resumed_after(WISH, ANSWER)
    assert not world.state.ending
    assert answered_in(world) == [0, 1]


def test_a_wish_after_an_answer_goes_before_the_reply_to_it() -> None:
    world = resumed_after(ANSWER, "skip this question please")
    assert answered_in(world) == [1, 0]
    assert (world.state.place.step.phase, world.state.place.step.round) == (Phase.QUESTION, 2)


# Whoever was asked whether to end.


def asked_whether_to_end(*, speaks: bool) -> World:
    world = asked()
    if not speaks:
        world.happen(e.Joined(None, speaks=False))
        world.settle()
    types(world, WISH)
    world.pass_time(1.0)
    world.settle()
    assert world.state.ending
    return world


@pytest.mark.parametrize("speaks", [True, False])
@pytest.mark.parametrize("text", ["Yes", "Yes, end it"])
def test_a_yes_in_a_pause_ends_the_interview(text: str, *, speaks: bool) -> None:
    world = asked_whether_to_end(speaks=speaks)
    order(world, OrderKind.PAUSE)
    types(world, text)
    assert world.state.state is State.CANCELLED  # Nothing was answered.
    assert answered_in(world) == [0, 0]


@pytest.mark.parametrize("speaks", [True, False])
@pytest.mark.parametrize("settles", [True, False])
def test_a_yes_that_comes_after_a_pause_ends_the_interview(*, speaks: bool, settles: bool) -> None:
    world = asked_whether_to_end(speaks=speaks)
    world.happen(e.Left())
    world.pass_time(61)
    order(world, OrderKind.PAUSE)
    world.happen(e.Joined(PCM, speaks=speaks))
    if settles:
        world.settle()
    types(world, "Yes")
    assert world.state.place.step.phase is Phase.CLOSING
    assert answered_in(world) == [0, 0]


@pytest.mark.parametrize("speaks", [True, False])
def test_a_no_has_the_question_repeated(*, speaks: bool) -> None:
    world = asked_whether_to_end(speaks=speaks)
    order(world, OrderKind.PAUSE)
    types(world, "No, let's go on")
    order(world, OrderKind.RESUME)
    assert not world.state.ending
    assert world.state.place.step.phase is Phase.QUESTION
    assert answered_in(world) == [0, 0]
    assert not speaks or "How do you keep" in said(world)
