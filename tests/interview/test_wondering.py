"""What seems to be said to the interviewer is asked about before it is scored, once a question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.interview.conversation import events as e
from services.interview.conversation.state import SessionState
from services.interview.interviewer import lines
from services.interview.record import InterviewSettings, Mode
from tests.interview.test_ending_by_voice import says
from tests.interview.test_engine import ANSWER, asked
from tests.interview.world import World

ODD = "Your microphone crackles."
WAS_THAT_IT = lines.line(lines.Said.WAS_THAT_IT, "en")


def said(world: World) -> str:
    return "" if world.state.floor is None else world.state.floor.line.text


def reply(world: World, text: str, *, typed: bool = False) -> None:
    world.happen(e.Typed(text)) if typed else says(world, text)


def wondering(*, typed: bool = False) -> World:
    world = asked()
    reply(world, ODD, typed=typed)
    assert said(world) == WAS_THAT_IT
    assert world.state.place.answer.turns == ()
    assert not world.state.answered
    world.settle()
    world.play()
    world.settle()
    return world


def answered(world: World) -> list[str]:
    return [turn.text for turn in world.state.place.answer.turns]


@pytest.mark.parametrize("typed", [False, True])
def test_it_is_no_answer_and_the_state_can_be_written(typed: bool) -> None:
    world = wondering(typed=typed)
    assert SessionState.from_json(world.state.to_json()) == world.state
    assert [turn.round for turn in world.kept.values() if turn.text == ODD] == [0]


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize(
    "text", ["Yes.", "That was my answer.", "Yes, it was.", "是的，这是我的回答。"]
)
def test_who_says_that_it_was_the_answer_has_answered(text: str, typed: bool) -> None:
    world = wondering(typed=typed)
    reply(world, text, typed=typed)
    assert answered(world) == [ODD]
    assert [turn.round for turn in world.kept.values() if turn.text == ODD] == [1]
    assert [turn.round for turn in world.kept.values() if turn.text == text] == [0]
    assert world.state.doubted is None
    world.settle()
    assert said(world) not in {"", WAS_THAT_IT}


@pytest.mark.parametrize("text", ["No.", "No, it wasn't.", "Say it again, please.", "不是。"])
def test_who_says_no_hears_the_question(text: str) -> None:
    world = wondering()
    reply(world, text)
    assert "database number 1" in said(world)
    assert answered(world) == []
    assert world.state.doubted is None


@pytest.mark.parametrize("typed", [False, True])
def test_an_answer_is_read_as_usual(typed: bool) -> None:
    world = wondering(typed=typed)
    reply(world, ANSWER, typed=typed)
    assert answered(world) == [ANSWER]
    assert world.state.doubted is None


def test_another_wish_is_granted() -> None:
    world = wondering()
    reply(world, "Next question, please.")
    world.settle()
    assert world.state.place.step.round == 2
    assert not world.state.place.wondered


def test_it_is_asked_once_a_question() -> None:
    world = wondering()
    reply(world, "Your voice crackles.")
    assert answered(world) == ["Your voice crackles."]


def test_silence_has_the_question_asked_again() -> None:
    world = wondering()
    while not said(world):
        world.pass_time(1.0)
    assert "database number 1" in said(world)
    world.settle()
    world.play()
    world.settle()
    assert world.state.doubted is None


def test_more_of_an_answer_is_not_asked_about() -> None:
    world = asked()
    reply(world, ANSWER)
    reply(world, ODD)
    assert said(world) != WAS_THAT_IT


def test_who_talks_with_a_tutor_may_speak_to_them() -> None:
    world = World()
    settings = InterviewSettings(rounds=2, follow_ups=1, mode=Mode.SPEAKING_PRACTICE)
    world.script = replace(world.script, settings=settings)
    asked(world)
    reply(world, ODD)
    assert answered(world) == [ODD]
