"""The checks of histories find what they are for: each kind of damage is told, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from viva.interview.v1 import conversation_pb2 as pb
from viva.interview.v1 import interview_pb2, report_pb2, turn_pb2

from services.runtime.audio import pcm
from services.runtime.stats import duration
from tests.faults.history import (
    Answer,
    History,
    Received,
    Stored,
    joined,
    one_turn_an_answer,
    violations,
    words,
)
from tests.faults.tones import WORDS, read, spoken

ASKED = "What is a deadlock?"
ONE, TWO = WORDS[:3], WORDS[3:6]
COMPLETED = interview_pb2.INTERVIEW_STATE_COMPLETED


def turn(name: str, said: str, start: float) -> turn_pb2.Turn:
    speaker = turn_pb2.SPEAKER_CANDIDATE if words(said) else turn_pb2.SPEAKER_INTERVIEWER
    return turn_pb2.Turn(
        id=name, speaker=speaker, text=said, start=duration(start), end=duration(start + 1)
    )


def sound() -> tuple[History, Stored]:
    """An interview as it should be."""
    turns = [
        turn("q", ASKED, 1.0),
        turn("a", " ".join(ONE), 2.0),
        turn("b", " ".join(TWO), 4.0),
    ]
    evidence = report_pb2.Evidence(turn_id="a", quote=ONE[1])
    score = report_pb2.DimensionScore(name="depth", evidence=[evidence])
    question = report_pb2.QuestionResult(turn_ids=["a"], dimensions=[score])
    report = report_pb2.Report(interview_id="i", questions=[question])
    events = [
        pb.InterviewEvent(text=pb.InterviewerText(utterance_id="u", text=ASKED)),
        pb.InterviewEvent(
            utterance_ended=pb.InterviewerUtteranceEnded(utterance_id="u", turn=turns[0])
        ),
        pb.InterviewEvent(audio_received=pb.AudioReceived(offset=duration(3))),
        pb.InterviewEvent(candidate_turn=pb.CandidateTurn(turn=turns[1])),
        pb.InterviewEvent(audio_received=pb.AudioReceived(offset=duration(5))),
        pb.InterviewEvent(candidate_turn=pb.CandidateTurn(turn=turns[2])),
        pb.InterviewEvent(state_changed=pb.StateChanged(state=COMPLETED)),
        pb.InterviewEvent(report_ready=pb.ReportReady(report=report)),
    ]
    for number, event in enumerate(events, 1):
        event.seq = number
    history = History(
        [Received(event, 1) for event in events],
        [Answer(ONE, typed=False), Answer(TWO, typed=False)],
        sent=6.0,
    )
    interview = interview_pb2.Interview(id="i", state=COMPLETED, turn_count=3)
    return history, Stored(interview, turns, report, {"a": list(ONE), "b": list(TWO)})


Damage = Callable[[History, Stored], Stored]


def an_event_is_lost(history: History, stored: Stored) -> Stored:
    del history.events[2]
    return stored


def an_event_comes_again(history: History, stored: Stored) -> Stored:
    again = history.events[2]
    history.events.insert(3, Received(again.event, 2))
    return stored


def taken_audio_is_wanted_again(history: History, stored: Stored) -> Stored:
    history.events[4].event.audio_received.offset.CopyFrom(duration(2))
    return stored


def audio_is_taken_that_was_never_sent(history: History, stored: Stored) -> Stored:
    history.sent = 4.0
    return stored


def a_told_turn_is_lost(_: History, stored: Stored) -> Stored:
    stored.interview.turn_count = 2
    return replace(stored, turns=stored.turns[:2])


def a_join_is_answered_under_another_number(history: History, stored: Stored) -> Stored:
    taken = pb.AudioReceived(offset=duration(3), received=duration(3))
    for got in history.events[3:]:
        got.connection = 2
    answer = pb.InterviewEvent(seq=history.events[2].event.seq - 1, audio_received=taken)
    history.events.insert(3, Received(answer, 2))
    return stored


def a_told_turn_is_stored_otherwise(_: History, stored: Stored) -> Stored:
    stored.turns[1].text += "."
    return stored


def a_stored_turn_was_never_told(history: History, stored: Stored) -> Stored:
    del history.events[5]
    for number, got in enumerate(history.events, 1):
        got.event.seq = number
    return stored


def a_turn_is_stored_twice(_: History, stored: Stored) -> Stored:
    stored.interview.turn_count = 4
    return replace(stored, turns=[*stored.turns, stored.turns[2]])


def turns_are_miscounted(_: History, stored: Stored) -> Stored:
    stored.interview.turn_count = 2
    return stored


def a_word_is_lost(history: History, stored: Stored) -> Stored:
    history.answers.append(Answer(WORDS[6:8], typed=False))
    return stored


def more_is_kept_than_was_heard(history: History, stored: Stored) -> Stored:
    ended = history.events[1].event.utterance_ended
    ended.interrupted = True
    mark = pb.SpokenWord(text="What", end=duration(0.1))
    audio = pb.InterviewerAudio(utterance_id="u", words=[mark])
    history.events[2].event.CopyFrom(pb.InterviewEvent(seq=3, audio=audio))
    history.events[1], history.events[2] = history.events[2], history.events[1]
    for number, got in enumerate(history.events, 1):
        got.event.seq = number
    history.played["u"] = 0.1
    return stored


def a_line_is_kept_that_was_never_written(history: History, stored: Stored) -> Stored:
    history.events[0].event.text.text = "What is a mutex?"
    return stored


def it_stands_otherwise(_: History, stored: Stored) -> Stored:
    stored.interview.state = interview_pb2.INTERVIEW_STATE_LIVE
    return stored


def another_report_is_read(_: History, stored: Stored) -> Stored:
    assert stored.report is not None
    other = report_pb2.Report()
    other.CopyFrom(stored.report)
    other.summary = "otherwise"
    return replace(stored, report=other)


def a_quote_is_made_up(history: History, stored: Stored) -> Stored:
    assert stored.report is not None
    stored.report.questions[0].dimensions[0].evidence[0].quote = "never said"
    history.events[7].event.report_ready.report.CopyFrom(stored.report)
    return stored


def an_answer_is_recorded_elsewhere(_: History, stored: Stored) -> Stored:
    return replace(stored, recorded=stored.recorded | {"b": list(TWO[:2])})


def test_a_sound_interview_violates_nothing() -> None:
    history, stored = sound()
    assert violations(history, stored) == []
    assert list(one_turn_an_answer(history, stored)) == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (an_event_is_lost, "event 4 (connection 1) came after 2"),
        (a_join_is_answered_under_another_number, "was answered under 2"),
        (an_event_comes_again, "event 3 (connection 2) came after 3"),
        (taken_audio_is_wanted_again, "and then up to 2 s"),
        (audio_is_taken_that_was_never_sent, "5 s of audio were taken, 4 s were sent"),
        (a_told_turn_is_lost, "was told and is not stored"),
        (a_told_turn_is_stored_otherwise, "is stored as"),
        (a_stored_turn_was_never_told, "is stored and was never told"),
        (a_turn_is_stored_twice, "a turn is stored twice"),
        (turns_are_miscounted, "2 turns are counted, 3 are listed"),
        (a_word_is_lost, "is lost"),
        (more_is_kept_than_was_heard, "1 words of u were heard, 4 are kept"),
        (a_line_is_kept_that_was_never_written, "and had written"),
        (it_stands_otherwise, "the interview is not over"),
        (another_report_is_read, "is not the one that is read"),
        (a_quote_is_made_up, "which nobody said"),
        (an_answer_is_recorded_elsewhere, "the recording has"),
    ],
)
def test_damage_is_found(damage: Damage, says: str) -> None:
    history, stored = sound()
    found = violations(history, damage(history, stored))
    assert any(says in violation for violation in found), found


def test_an_answer_in_two_turns_is_found() -> None:
    history, stored = sound()
    history.answers[:] = [Answer((*ONE, *TWO), typed=False)]
    assert violations(history, stored) == []
    assert len(list(one_turn_an_answer(history, stored))) == 1


def test_numbers_may_jump_where_another_orchestrator_goes_on() -> None:
    history, stored = sound()
    for got in history.events[4:]:
        got.connection, got.event.seq = 2, got.event.seq + 10_000
    assert violations(history, stored) == []


def test_every_word_is_read_from_its_tone_and_from_a_recording_of_it() -> None:
    samples = spoken(WORDS)
    assert [tone.word for tone in read(samples)] == list(WORDS)
    recorded = joined([(0.5, pcm.s16le_from_float(samples))], 16_000)
    assert [tone.word for tone in read(np.asarray(recorded))] == list(WORDS)
