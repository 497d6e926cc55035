"""A candidate who writes: what they are asked, and when, and that every wish goes on."""

from __future__ import annotations

import pytest

from services.interview.conversation import events as e
from services.interview.conversation.state import OrderKind, Timer
from services.interview.events import AudioFormat, InterviewerText, TurnHeld
from services.interview.interviewer import lines
from services.interview.record import Phase, State
from tests.interview.test_engine import ANSWER
from tests.interview.world import PCM, World

MOMENT = "Give me a moment, please."
WISHES_TO_END = "Can we stop the interview here?"
END_QUESTION = lines.line(lines.Said.CONFIRM_END, "en")
SKIP_OFFER = lines.line(lines.Said.OFFER_SKIP, "en")
HELD_SECONDS = 30.0
PATIENT_SECONDS = 40.0

READ = pytest.mark.parametrize("output", [None, PCM], ids=["reads", "listens"])
"""With text alone; and in a page's room, where the interviewer is heard as well."""


def writing(output: AudioFormat | None) -> World:
    """The first question was asked of somebody who writes."""
    world = World(follow_ups=0)
    world.happen(e.Joined(output, speaks=False))
    for _ in range(3):
        go_on(world)
    assert world.state.place.step.phase is Phase.QUESTION
    assert world.state.floor is None
    return world


def go_on(world: World) -> None:
    """What is under way is done, and what is said is heard."""
    world.settle()
    world.play()
    world.settle()


def types(world: World, text: str) -> None:
    world.happen(e.Typed(text))
    go_on(world)


def asked(world: World) -> list[tuple[Phase, str]]:
    """What was said under which part, the newest last."""
    phases = {event.utterance_id: event.phase for event in world.started()}
    texts = [event for event in world.told if isinstance(event, InterviewerText)]
    return [(phases[event.utterance_id], event.text) for event in texts]


def held(world: World) -> list[TurnHeld]:
    return [event for event in world.told if isinstance(event, TurnHeld)]


@READ
def test_a_moment_is_given_in_words_that_may_be_answered(output: AudioFormat | None) -> None:
    world = writing(output)
    types(world, MOMENT)
    assert [event.until for event in held(world)] == [HELD_SECONDS + world.now]
    assert asked(world)[-1] == (Phase.QUESTION, lines.line(lines.Said.HOLD, "en"))
    types(world, ANSWER)
    assert held(world)[-1].until is None
    assert world.state.answered


@READ
def test_who_asked_for_a_moment_is_asked_whether_to_go_on_after_a_patient_while(
    output: AudioFormat | None,
) -> None:
    world = writing(output)
    types(world, MOMENT)
    before = len(asked(world))
    world.pass_time(HELD_SECONDS + PATIENT_SECONDS - 1.0)
    assert len(asked(world)) == before
    world.pass_time(1.0)
    go_on(world)
    assert asked(world)[-1] == (Phase.QUESTION, SKIP_OFFER)
    # Once: then they are left alone.
    world.pass_time(3600.0)
    assert len(asked(world)) == before + 1
    assert world.state.state is State.LIVE
    types(world, "Yes, please.")
    assert world.state.place.step.round == 2


@READ
def test_more_time_may_be_asked_for_again_and_again(output: AudioFormat | None) -> None:
    world = writing(output)
    for _ in range(4):
        world.happen(e.Hold(60.0))
        world.pass_time(60.0 + PATIENT_SECONDS)
        go_on(world)
        assert asked(world)[-1][1] == SKIP_OFFER
    assert world.state.state is State.LIVE
    types(world, "No.")
    assert world.state.hold is not None
    types(world, ANSWER)
    assert world.state.answered


@READ
def test_who_asks_for_nothing_is_asked_nothing(output: AudioFormat | None) -> None:
    world = writing(output)
    before = len(asked(world))
    world.pass_time(3600.0)
    assert len(asked(world)) == before


@READ
def test_an_answer_ends_the_wait(output: AudioFormat | None) -> None:
    world = writing(output)
    types(world, MOMENT)
    world.pass_time(HELD_SECONDS + PATIENT_SECONDS - 0.1)
    # Whatever the reply takes.
    world.happen(e.Typed(ANSWER))
    assert Timer.QUIET not in world.timers
    world.pass_time(0.2)
    assert SKIP_OFFER not in [text for _, text in asked(world)]


@READ
def test_the_question_whether_to_end_stands_until_it_is_answered(
    output: AudioFormat | None,
) -> None:
    world = writing(output)
    types(world, WISHES_TO_END)
    assert asked(world)[-1] == (Phase.QUESTION, END_QUESTION)
    world.pass_time(600.0)
    assert asked(world)[-1] == (Phase.QUESTION, END_QUESTION)
    types(world, "Yes.")
    assert world.state.place.step.phase is Phase.CLOSING


@READ
def test_what_is_asked_again_takes_the_place_of_the_question_whether_to_end(
    output: AudioFormat | None,
) -> None:
    world = writing(output)
    types(world, WISHES_TO_END)
    types(world, "Could you repeat the question, please?")
    types(world, "Yes.")
    assert world.state.place.step.phase is not Phase.CLOSING
    assert world.state.answered


def test_a_pause_keeps_the_question_whether_to_end() -> None:
    world = writing(None)
    types(world, WISHES_TO_END)
    world.happen(e.Left())
    world.order(OrderKind.PAUSE)
    world.settle()
    world.happen(e.Joined(None, speaks=False))
    go_on(world)
    assert asked(world)[-1][1] == END_QUESTION
    types(world, "Yes.")
    assert world.state.place.step.phase is Phase.CLOSING


def test_what_is_only_shown_is_answered_as_soon_as_it_is_there() -> None:
    """Programs do so: they go by the end of the question, which is told with it."""
    world = writing(None)
    types(world, ANSWER)
    types(world, ANSWER)
    assert [turn.round for turn in world.kept.values() if turn.typed] == [1, 2]


def test_a_sign_of_listening_belongs_to_no_part() -> None:
    world = writing(PCM)
    line = world.script.aside("Mm-hm.", world.state.place)
    assert not line.answered
    # Also where it is said anew to a client that takes another sound.
    assert world.script.again(line) == line
