"""A candidate who asks to stop is asked first: what is misheard must not end an interview."""

from __future__ import annotations

import pytest

from services.interview.clients.seams import TurnEnded
from services.interview.conversation import events as e
from services.interview.interviewer import lines
from services.interview.record import Phase
from tests.interview.test_engine import ANSWER, asked, speaks
from tests.interview.world import World

QUESTION = lines.line(lines.Said.CONFIRM_END, "en")


def says(world: World, text: str) -> None:
    began = speaks(world, text)
    world.happen(e.Heard(TurnEnded(text, (), began, world.now)))


def asked_whether_to_end(text: str = "I want to end the interview.") -> World:
    world = asked()
    says(world, text)
    assert world.state.floor is not None
    assert world.state.floor.line.text == QUESTION
    world.settle()
    world.play()
    world.settle()
    return world


def closing(world: World) -> bool:
    floor = world.state.floor
    return floor is not None and floor.line.step.phase is Phase.CLOSING


@pytest.mark.parametrize("text", ["Can we stop?", "End the interview.", "Let's stop here."])
def test_a_wish_to_stop_is_asked_about(text: str) -> None:
    world = asked_whether_to_end(text)
    assert not closing(world)
    assert world.state.place.step.phase is Phase.QUESTION


@pytest.mark.parametrize("text", ["Yes.", "Yes, please.", "Okay, stop.", "End the interview."])
def test_yes_or_the_wish_again_ends_it(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert closing(world)


@pytest.mark.parametrize("text", ["No.", "No, let's go on.", "Please continue.", "Don't stop."])
def test_no_has_the_question_asked_again(text: str) -> None:
    world = asked_whether_to_end()
    says(world, text)
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.QUESTION
    assert world.state.place.answer.turns == ()
    assert not world.state.ending


def test_an_answer_goes_on_with_the_interview() -> None:
    world = asked_whether_to_end()
    says(world, ANSWER)
    assert [turn.text for turn in world.state.place.answer.turns] == [ANSWER]
    assert not closing(world)


def test_silence_ends_nothing_and_a_later_wish_is_asked_about_again() -> None:
    world = asked_whether_to_end()
    world.pass_time(16.0)
    world.settle()
    assert not world.state.ending
    assert world.state.place.step.phase is Phase.QUESTION
    says(world, "Can we stop?")
    assert not closing(world)


def test_what_was_answered_before_is_not_replied_to_before_the_question_is_decided() -> None:
    world = asked()
    says(world, ANSWER)
    says(world, "Can we stop here?")
    world.settle()
    world.play()
    world.settle()
    assert world.state.ending
    says(world, "Yes.")
    assert closing(world)
    assert "ending" in world.state.to_json().decode()


@pytest.mark.parametrize(("language", "text"), [("en", "end the interview"), ("zh", "结束面试")])
def test_the_question_exists_in_both_languages(language: str, text: str) -> None:
    assert text in lines.line(lines.Said.CONFIRM_END, language)
