"""The engine by itself: each turn of the talk in a world under control."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.interview.clients.seams import (
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import actions as a
from services.interview.conversation import events as e
from services.interview.conversation import turn_taking
from services.interview.conversation.engine import step
from services.interview.conversation.progress import Step
from services.interview.conversation.state import Kind, SessionState, UnknownVersionError
from services.interview.endpointing.deciding import Asked, Decision, Pause, SpeakerPace, Verdict
from services.interview.events import (
    CandidateTurn,
    InterviewerText,
    PlaybackAction,
    PlaybackControl,
    UtteranceStarted,
)
from services.interview.interviewer.assessing import Assessment
from services.interview.interviewer.lines import _WELL
from services.interview.record import Difficulty, Patience, Phase
from tests.interview.stage import question
from tests.interview.world import PCM, World

ANSWER = "I watch the slow queries and then I add an index to the table."


def asked(world: World | None = None) -> World:
    """A world in which the first question was just asked."""
    world = world or World()
    world.happen(e.Joined(PCM))
    for _ in range(2):
        world.settle()
        world.play()
    world.settle()
    assert world.state.place.step.phase is Phase.QUESTION
    assert world.state.floor is None
    return world


def speaks(world: World, text: str) -> float:
    """The candidate has said something and falls silent; when it began."""
    began = world.now
    world.happen(e.Heard(SpeechBegan(began)))
    world.pass_time(3.0)
    world.happen(e.Heard(PartialHeard(text, "")))
    return began


def taken(world: World) -> bool:
    return world.state.floor is not None


def test_a_session_is_what_is_written_of_it() -> None:
    world = asked()
    began = speaks(world, ANSWER)
    world.happen(e.Heard(TurnEnded(ANSWER, (), began, world.now)))
    read = SessionState.from_json(world.state.to_json())
    assert read == world.state
    assert read.place.answer.turns[-1].text == ANSWER
    assert read.before == world.state.before


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(UnknownVersionError, match="version 99"):
        SessionState.from_json(b'{"version": 99, "session": {}}')


def test_the_same_event_in_the_same_state_gives_the_same_result() -> None:
    one, other = asked(), asked()
    for world in (one, other):
        began = speaks(world, ANSWER)
        world.happen(e.Heard(TurnEnded(ANSWER, (), began, world.now)))
    assert one.state == other.state
    assert one.told == other.told


def test_the_interview_ends_a_turn_that_is_over() -> None:
    world = asked()
    speaks(world, ANSWER)
    world.happen(e.Heard(PauseHeard(0.2, world.now, 0.9)))
    assert world.finalized == 0
    world.pass_time(2.5)
    assert world.finalized == 1


@pytest.mark.parametrize(
    ("text", "soon"),
    [
        ("Could you repeat the question, please?", True),
        ("Can you say that in other words?", True),
        ("Next question, please.", True),
        ("Please end the interview.", True),
        ("Well, I don't know, sorry.", True),
        ("I have no idea.", True),
        ("I don't know, maybe", False),
        ("I don't know but", False),
        ("We moved it because", False),
    ],
)
def test_a_command_or_a_refusal_is_not_waited_for_as_an_answer_is(text: str, soon: bool) -> None:
    world = asked()
    speaks(world, text)
    world.happen(e.Heard(PauseHeard(0.2, world.now, 0.2)))
    world.pass_time(0.4)
    assert world.finalized == 0
    world.pass_time(0.2)
    assert world.finalized == soon


def test_an_unfinished_sentence_is_waited_for_up_to_the_ceiling() -> None:
    world = asked()
    speaks(world, "We moved it because")
    world.happen(e.Heard(PauseHeard(0.2, world.now, 0.2)))
    world.pass_time(3.0)
    assert world.finalized == 0
    world.pass_time(2.0)
    assert world.finalized == 1


def test_text_that_comes_late_is_weighed_again() -> None:
    world = asked()
    speaks(world, "We moved it because")
    world.happen(e.Heard(PauseHeard(0.2, world.now, 0.9)))
    world.pass_time(2.2)
    assert world.finalized == 0
    world.happen(e.Heard(PartialHeard("We moved it because it was slow.", "")))
    assert world.finalized == 1


def test_word_of_a_pause_that_comes_late_puts_nothing_off() -> None:
    def decided(late: float) -> float:
        world = asked()
        speaks(world, ANSWER)
        began = world.now
        world.happen(e.Heard(PauseHeard(0.2, began, 0.9)))
        world.pass_time(0.2 + late)
        world.happen(e.Heard(PauseHeard(0.4, began, 0.9)))
        while not world.finalized:
            world.pass_time(0.01)
        return world.now - began

    assert decided(0.15) == pytest.approx(decided(0.0), abs=0.011)


def test_pauses_teach_the_speakers_pace() -> None:
    world = asked()
    speaks(world, "We moved it because")
    end = world.now
    world.happen(e.Heard(PauseHeard(0.2, end, 0.2)))
    world.pass_time(1.5)
    before = world.state.pace
    world.happen(e.Heard(WentOn(end + 1.5)))
    assert world.state.pace == before.observe(1.5)


@pytest.mark.parametrize("decision", [Decision.OPENER, Decision.BACK_CHANNEL])
@pytest.mark.parametrize("goes_on", [True, False])
def test_a_word_in_between_commits_to_nothing(
    monkeypatch: pytest.MonkeyPatch, decision: Decision, goes_on: bool
) -> None:
    def decides(pause: Pause, asked: Asked, pace: SpeakerPace, patience: Patience) -> Verdict:
        over = pause.silence > 2.0
        return Verdict(Decision.ANSWER if over else decision, None if over else 2.1, 0.5)

    monkeypatch.setattr(turn_taking, "decide", decides)
    world = asked()
    began = speaks(world, ANSWER)
    place = world.state.place
    world.happen(e.Heard(ProbablyEnded(ANSWER, (), began, world.now)))
    world.happen(e.Heard(PauseHeard(0.6, world.now, 0.5)))
    assert world.state.floor is not None
    assert world.state.floor.line.kind is Kind.ASIDE
    world.speak(1)
    said = [event for event in world.told if isinstance(event, InterviewerText)]
    assert len(said[-1].text) < 20
    assert world.state.place.step == place.step
    if goes_on:
        world.pass_time(0.2)
        world.happen(e.Heard(WentOn(world.now)))
        world.happen(e.Heard(PartialHeard(f"{ANSWER} And more", "")))
        assert not taken(world)
        stops = [event for event in world.told if isinstance(event, PlaybackControl)]
        assert [stop.action for stop in stops] == [PlaybackAction.STOP]
    else:
        world.settle()
        world.play()
        world.pass_time(2.0)
        assert world.finalized == 1
    world.happen(e.Heard(TurnEnded(f"{ANSWER} And more", (), began, world.now)))
    world.settle()
    assert [turn.text for turn in world.kept.values() if turn.round and turn.speaker == 2] == [
        f"{ANSWER} And more"
    ]
    assert world.started()[-1].phase is Phase.FOLLOW_UP


def test_a_content_line_waits_for_the_end_of_a_word_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turn_taking, "decide", lambda *_: Verdict(Decision.OPENER, None, 0.5))
    world = asked()
    began = speaks(world, ANSWER)
    world.happen(e.Heard(PauseHeard(0.6, world.now, 0.5)))
    world.speak()
    world.happen(e.Heard(TurnEnded(ANSWER, (), began, world.now)))
    world.think()
    assert world.state.floor is not None
    assert world.state.floor.line.kind is Kind.ASIDE
    world.play()
    assert world.state.floor is not None
    assert world.state.floor.line.step.phase is Phase.FOLLOW_UP


@pytest.mark.parametrize("text", ["Mm-hm.", "Okay.", "Welcome, this is a practice interview"])
def test_listening_and_echo_let_the_line_go_on_where_it_was(text: str) -> None:
    world = World()
    world.happen(e.Joined(PCM))
    world.speak()
    world.pass_time(1.0)
    world.happen(e.Heard(SpeechBegan(world.now)))
    assert isinstance(world.told[-1], PlaybackControl)
    at = world.state.floor and world.state.floor.playback.position(world.now)
    world.pass_time(0.6)
    world.happen(e.Heard(PartialHeard(text, "")))
    world.happen(e.Heard(TurnEnded(text, (), 1.0, 1.5)))
    controls = [event for event in world.told if isinstance(event, PlaybackControl)]
    assert [c.action for c in controls] == [PlaybackAction.PAUSE, PlaybackAction.RESUME]
    assert world.state.floor is not None
    assert world.state.floor.playback.position(world.now) == at
    assert not [event for event in world.told if isinstance(event, CandidateTurn)]


def test_a_commit_begins_before_anything_else_that_is_wanted() -> None:
    world = asked()
    began = speaks(world, ANSWER)
    ended = e.Heard(TurnEnded(ANSWER, (), began, world.now))
    _, wanted = step(world.script, world.state, ended, world.now)
    kinds = [type(action) for action in wanted]
    assert kinds.index(a.Commit) < kinds.index(a.Assess)
    assert kinds.index(a.Keep) < kinds.index(a.Commit)


def test_in_writing_the_opening_and_the_question_come_at_once() -> None:
    world = World()
    world.happen(e.Joined(None, speaks=False))
    phases = [event.phase for event in world.told if isinstance(event, UtteranceStarted)]
    assert phases == [Phase.OPENING, Phase.QUESTION]
    world.happen(e.Typed(ANSWER))
    world.think("How did you choose the index?")
    assert world.started()[-1].phase is Phase.FOLLOW_UP


def after_an_answer(level: float) -> World:
    """The second question is being asked, after an answer at this level."""
    world = World(follow_ups=0)
    others = {
        difficulty: replace(question(10 + difficulty), difficulty=difficulty)
        for difficulty in (Difficulty.EASY, Difficulty.HARD)
    }
    world.script = replace(world.script, alternatives={2: others})
    asked(world)
    began = speaks(world, ANSWER)
    world.happen(e.Heard(TurnEnded(ANSWER, (), began, world.now)))
    (number,) = world.assessing
    missed = question(1).key_points
    world.happen(e.Assessed(number, Assessment((), missed, level, declined=False, words=14)))
    world.settle()
    assert world.state.place.step == Step(Phase.QUESTION, 2)
    return world


@pytest.mark.parametrize(
    ("level", "number", "praised"), [(0.9, 13, True), (0.5, 2, False), (0.1, 11, False)]
)
def test_the_next_question_is_as_hard_as_the_answer_was_good(
    level: float, number: int, praised: bool
) -> None:
    world = after_an_answer(level)
    line = world.state.place.line
    assert line is not None
    assert question(number).text in line.text
    assert line.question_id == question(number).id
    assert any(line.text.startswith(praise) for praise in _WELL["en"]) == praised
    assert [each.question_id for each in world.asked] == ([] if number == 2 else [f"q{number}"])
    answered = world.script.question(world.state.place.step)
    assert answered is not None
    assert answered.id == f"q{number}"


def test_an_aside_belongs_to_no_part_of_the_interview() -> None:
    """A client takes it for no question: nobody answers an "Mm-hm."."""
    world = asked()
    speaks(world, "We moved it because")
    world.happen(e.Heard(PauseHeard(0.2, world.now, 0.2)))
    world.pass_time(3.2)
    world.settle()
    started = [event for event in world.told if isinstance(event, UtteranceStarted)]
    assert started[-1].phase is Phase.UNSPECIFIED
