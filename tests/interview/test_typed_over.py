"""An answer is typed while another is being said: each is kept where it belongs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from services.interview.clients.seams import (
    PartialHeard,
    ProbablyEnded,
    SpeechBegan,
    SpeechLost,
    TurnEnded,
)
from services.interview.conversation import events as e
from services.interview.conversation.state import OrderKind, SessionState
from services.interview.events import CandidateTurn, PlaybackControl
from services.interview.record import Phase, Speaker, State
from tests.interview.stage import spoken, stage
from tests.interview.world import PCM, World
from tests.runtime import virtual_time

TYPED = "I watch the slow queries and then I add an index to the table."
SAID = "We take backups and restore them every month."


def late() -> World:
    """The second question is being asked; what was said to the first is not understood yet."""
    world = World(follow_ups=0)
    world.happen(e.Joined(PCM))
    for _ in range(2):
        world.settle()
        world.play()
    world.settle()
    world.happen(e.Heard(SpeechBegan(world.now)))
    world.pass_time(1.0)
    return world


@pytest.mark.parametrize("lost", [False, True])
def test_speech_of_before_a_typed_answer_belongs_to_the_question_it_answered(lost: bool) -> None:
    world = late()
    began = world.now - 1.0
    if lost:
        world.happen(e.Heard(SpeechLost()))
        world.pass_time(2.0)
    world.happen(e.Typed(TYPED))
    world.settle()
    world.pass_time(0.9)
    asking, told = world.state.floor, len(world.told)
    assert asking is not None
    if lost:
        world.happen(e.Heard(SpeechBegan(began)))
    words = spoken(SAID, began)
    world.happen(e.Heard(PartialHeard(SAID, "")))
    world.happen(e.Heard(ProbablyEnded(SAID, words, began, words[-1].end)))
    world.happen(e.Heard(TurnEnded(SAID, words, began, words[-1].end)))
    world.settle()
    assert world.state.floor is not None
    assert world.state.floor.id == asking.id
    assert not any(isinstance(event, PlaybackControl) for event in world.told[told:])
    assert not world.state.place.answer.turns
    (turn,) = [event.turn for event in world.told[told:] if isinstance(event, CandidateTurn)]
    assert (turn.text, turn.round, turn.question_id) == (SAID, 1, "q1")


def test_speech_that_was_taken_as_far_as_it_was_understood_is_kept_once() -> None:
    world = late()
    began = world.now - 1.0
    world.happen(e.Heard(PartialHeard("We take backups and", "")))
    world.happen(e.Heard(SpeechLost()))
    world.happen(e.Typed(TYPED))
    world.settle()
    words = spoken(SAID, began)
    world.happen(e.Heard(SpeechBegan(began)))
    world.happen(e.Heard(TurnEnded(SAID, words, began, words[-1].end)))
    world.settle()
    assert sorted(world.turns()) == [TYPED, SAID]


def test_the_record_has_them_in_the_order_they_were_given_in() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            await s.to_first_question()
            began = s.conversation.chronicle.clock.now()
            await s.hear(SpeechBegan(began))
            await asyncio.sleep(1.0)
            s.seat.send(e.Typed(TYPED))
            await s.started(Phase.QUESTION)
            words = spoken(SAID, began)
            await s.hear(TurnEnded(SAID, words, began, words[-1].end))
            await s.until(CandidateTurn, lambda event: event.turn.text == SAID)
            turns = s.conversation.chronicle.interview.turns
            said = [turn.text for turn in turns if turn.speaker is Speaker.CANDIDATE]
            assert said == [SAID, TYPED]

    virtual_time.run(asyncio.wait_for(main(), 3600.0))


def test_what_is_said_after_it_interrupts_as_ever() -> None:
    world = late()
    world.happen(e.Typed(TYPED))
    world.settle()
    world.happen(e.Heard(TurnEnded("", (), 0.0, 0.0)))
    world.pass_time(0.5)
    world.happen(e.Heard(SpeechBegan(world.now)))
    world.happen(e.Heard(PartialHeard(SAID, "")))
    assert world.state.floor is None


@pytest.mark.parametrize("later", [0.0, 0.05])
def test_what_is_typed_before_a_question_is_there_answers_nothing(later: float) -> None:
    world = World(follow_ups=0)
    world.happen(e.Joined(PCM))
    world.settle()
    # As the page does it: what is being said is stopped, then comes the text.
    world.happen(e.Interrupted())
    if later:
        # The question has just begun.
        world.settle()
        world.pass_time(later)
    world.happen(e.Typed("Hello, nice to meet you."))
    world.settle()
    world.play()
    world.settle()
    (turn,) = [event.turn for event in world.told if isinstance(event, CandidateTurn)]
    assert (turn.round, turn.question_id) == (0, "")
    assert world.state.place.asked
    assert not world.state.place.answer.turns
    world.happen(e.Typed(TYPED))
    world.settle()
    turn = [event.turn for event in world.told if isinstance(event, CandidateTurn)][-1]
    assert (turn.round, turn.question_id) == (1, "q1")


def cut_short_by_a_pause(world: World) -> None:
    world.order(OrderKind.PAUSE)
    world.settle()
    world.pass_time(20.0)


def lost_for_long(world: World) -> None:
    world.happen(e.Left())
    world.pass_time(60.0)
    world.order(OrderKind.PAUSE)
    world.settle()
    world.happen(e.Joined(PCM))


def taken_over(world: World) -> None:
    world.happen(e.Left())
    world.state = SessionState.from_json(world.state.to_json())
    world.pass_time(5.0)
    world.happen(e.Restored(died=True))
    world.happen(e.Joined(PCM))


@pytest.mark.parametrize("cut_short", [cut_short_by_a_pause, lost_for_long, taken_over])
def test_a_question_that_was_cut_short_stands_on_the_page_and_is_answered(
    cut_short: Callable[[World], None],
) -> None:
    world = World(follow_ups=0)
    world.happen(e.Joined(PCM))
    world.settle()
    world.play()
    world.settle()
    world.pass_time(0.9)
    assert not world.state.place.asked
    cut_short(world)
    world.happen(e.Typed(TYPED))
    world.settle()
    (turn,) = [turn for turn in world.kept.values() if turn.typed]
    assert (turn.round, turn.question_id) == (1, "q1")
    if world.state.state is State.PAUSED:
        world.order(OrderKind.RESUME)
        world.settle()
    # The next question comes, and not this one again.
    assert world.state.place.step.round == 2


@pytest.mark.parametrize(("asked", "number"), [(True, 1), (False, 0)])
def test_a_session_of_before_it_was_known_when_a_question_was_shown(
    asked: bool, number: int
) -> None:
    world = World(follow_ups=0)
    world.happen(e.Joined(PCM))
    world.settle()
    world.play()
    world.settle()
    if asked:
        world.play()
        world.settle()
    document = json.loads(world.state.to_json())
    for place in (document["session"]["place"], document["session"]["before"]):
        del place["shown"]
        del place["line"]["answered"]
    world.state = SessionState.from_json(json.dumps(document).encode())
    world.happen(e.Typed(TYPED))
    assert [turn.round for turn in world.kept.values() if turn.typed] == [number]
