"""Faults that interviews have had: each stays mended."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from services.interview.clients.seams import (
    DependencyFailed,
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import events as m
from services.interview.conversation.degrading import FIRST_STORE_SECONDS
from services.interview.conversation.playback import Heard, Playback
from services.interview.conversation.state import OrderKind
from services.interview.events import (
    AudioFormat,
    CandidatePartial,
    CandidateTurn,
    CandidateTurnReopened,
    Encoding,
    InterviewerAudio,
    InterviewerText,
    PlaybackAction,
    PlaybackControl,
    Remedy,
    ReportReady,
    ServiceDegraded,
    StateChanged,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.record import Phase, Speaker, State
from tests.interview.stage import FAST, FailingStore, Stage, spoken, stage
from tests.interview.test_no_silence import carried_out, final, said_to, under_way
from tests.interview.world import PCM, World
from tests.runtime import virtual_time


def run(main: Coroutine[Any, Any, None]) -> None:
    """In virtual time, of which an hour is more than anything here takes."""
    virtual_time.run(asyncio.wait_for(main, 3600.0))


ANSWER = "I watch the slow queries and then I add an index to the table."
TAIL = "And we measure again after each of the changes."
OWN = "How did you choose the index?"


def ended(text: str, start: float) -> tuple[SpeechBegan, PartialHeard, TurnEnded]:
    words = spoken(text, start)
    return SpeechBegan(start), PartialHeard(text, ""), TurnEnded(text, words, start, words[-1].end)


def given(s: Stage) -> list[tuple[str, int, str]]:
    turns = s.conversation.chronicle.interview.turns
    return [(t.text, t.round, t.question_id) for t in turns if t.speaker is Speaker.CANDIDATE]


def test_a_tail_is_not_scored_under_a_question_that_nobody_heard() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            await s.to_first_question()
            await s.hear(*ended(ANSWER, 0.0))
            name = await s.started(Phase.QUESTION)
            await s.until(InterviewerAudio, lambda e: e.offset > 1.0)
            # "Thank you. My last question: How—" is as far as it came.
            s.played(name, 1.75)
            await s.hear(*ended(TAIL, 5.0))
            cut = await s.until(UtteranceEnded, lambda e: e.utterance_id == name)
            assert cut.turn.text == "Thank you. My last question: How"
            assert (cut.turn.round, cut.turn.question_id) == (0, "")
            back = await s.until(StateChanged)
            assert (back.phase, back.round) == (Phase.QUESTION, 1)
            await s.until(CandidateTurnReopened)
            assert (await s.until(CandidateTurn)).turn.text == f"{ANSWER} {TAIL}"
            again = await s.play_out(Phase.QUESTION)
            assert "database number 2" in again.turn.text
            assert given(s) == [(f"{ANSWER} {TAIL}", 1, "q1")]
            await s.hear(*ended(ANSWER, 20.0))
            await s.play_out(Phase.CLOSING)
            report = (await s.until(ReportReady)).report
            assert [q.question_id for q in report.questions] == ["q1", "q2"]
            assert all(q.question != "Thank you. My last question: How" for q in report.questions)

    run(main())


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u3000"])
def test_a_blank_typed_answer_is_no_answer(text: str) -> None:
    async def main() -> None:
        async with stage(rounds=1, follow_ups=0) as s:
            s.join(text_only=True)
            await s.until(UtteranceEnded, lambda e: e.turn.question_id == "q1")
            s.seat.send(m.Typed(text))
            s.seat.send(m.Typed(ANSWER))
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            assert (await s.until(ReportReady)).report.overall_score is not None

    run(main())


def test_a_store_that_fails_pauses_the_session_and_says_so_and_it_goes_on_when_it_works() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join()
            await s.to_first_question()
            store.broken = True
            await s.answer(ANSWER)
            told = await s.until(ServiceDegraded)
            assert (told.service, told.recovered) == ("store", False)
            await asyncio.sleep(20.0)
            seen = s.conversation.chronicle.journal.after(s.seen[-1].seq)
            kinds = {type(entry.event) for entry in seen}
            assert not kinds & {CandidateTurn, StateChanged, UtteranceStarted}
            store.broken = False
            assert (await s.until(ServiceDegraded)).recovered
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


def test_an_end_that_cannot_be_stored_hurts_nobody_else() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join()
            await s.to_first_question()
            store.broken = True
            await s.conversation.discard()
            assert s.conversation.over

    run(main())


@pytest.mark.parametrize("command", [None, m.Pause, m.End])
@pytest.mark.parametrize("answered", [False, True])
def test_it_ends_in_whatever_state_it_is_deleted(
    command: type[m.Command] | None, answered: bool
) -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join(text_only=True)
            await s.until(UtteranceEnded, lambda told: told.turn.question_id == "q1")
            if answered:
                s.seat.send(m.Typed(ANSWER))
                await s.until(CandidateTurn)
            if command is not None:
                store.gate.clear()
                s.seat.send(command())  # type: ignore[arg-type]
                while s.conversation.chronicle.interview.state is State.LIVE:  # noqa: ASYNC110 - no event comes
                    await asyncio.sleep(0)
                store.gate.set()
            await s.conversation.discard()
            assert s.conversation.over
            assert s.conversation.chronicle.interview.state.over

    run(main())


def test_a_command_is_answered_although_nothing_can_be_stored() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join()
            await s.to_first_question()
            store.broken = True
            await carried_out(s, m.Pause())
            assert s.conversation.chronicle.interview.state is State.PAUSED

    run(main())


def test_what_is_ordered_while_the_store_comes_back_is_stored_and_answered() -> None:
    world = World()
    world.happen(m.Joined(PCM))
    world.settle()
    world.happen(m.Stored(99))
    world.fail_to_store()
    world.pass_time(FIRST_STORE_SECONDS + 0.1)
    order = world.order(OrderKind.PAUSE)
    world.settle()
    assert world.state.storing
    assert order in world.obeyed
    assert world.states()[-1].state is State.PAUSED


def test_nothing_that_lasts_is_told_before_it_is_stored_and_the_reply_does_not_wait_for_it() -> (
    None
):
    async def main() -> None:
        store = FailingStore()
        async with stage(store=store) as s:
            s.join()
            await s.to_first_question()
            store.gate.clear()
            before = s.seen[-1].seq
            await s.answer(ANSWER)
            name = (await s.until(UtteranceStarted)).utterance_id
            await s.until(InterviewerAudio, lambda e: e.utterance_id == name)
            entries = s.conversation.chronicle.journal.after(before)
            assert not [e for e in entries if isinstance(e.event, CandidateTurn | StateChanged)]
            store.gate.set()
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            assert (await s.until(StateChanged)).phase is Phase.FOLLOW_UP

    run(main())


def test_who_was_speaking_when_the_recogniser_died_for_good_is_answered() -> None:
    async def main() -> None:
        async with stage(pace=replace(FAST, suspicion=2.0)) as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            await asyncio.sleep(0.5)
            s.recogniser.broken = True
            s.recogniser.streams[-1].heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
            died = asyncio.get_running_loop().time()
            told = await s.until(ServiceDegraded)
            assert (told.service, told.remedy) == ("asr", Remedy.TYPE_ANSWERS)
            assert asyncio.get_running_loop().time() - died <= 3.0
            await asyncio.sleep(15.0)
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


def test_what_was_said_to_a_recogniser_that_dies_is_whole_when_it_comes_back_soon() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard("I watch the slow", ""))
            await asyncio.sleep(2.0)
            s.recogniser.broken = True
            s.recogniser.streams[-1].heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
            await asyncio.sleep(10.0)
            assert said_to(s) == []
            s.recogniser.broken = False
            await s.recogniser.opened.get()
            await s.hear(*ended(ANSWER, 0.0))
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            assert said_to(s) == [ANSWER]

    run(main())


def test_what_was_saved_from_a_dead_recogniser_and_is_heard_again_is_kept_once() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            await asyncio.sleep(4.0)
            s.recogniser.broken = True
            s.recogniser.streams[-1].heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
            await asyncio.sleep(15.0)
            told = (await s.until(CandidateTurn)).turn
            s.recogniser.broken = False
            await s.recogniser.opened.get()
            whole = f"{ANSWER} That is all."
            await s.hear(*ended(whole, 0.0))
            again = await s.until(CandidateTurn)
            assert (again.turn.id, again.turn.text) == (told.id, whole)
            assert said_to(s) == [whole]

    run(main())


def test_a_short_answer_over_the_questions_last_word_is_an_answer() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            await s.play_out(Phase.OPENING)
            name = await s.started(Phase.QUESTION)
            await s.until(InterviewerAudio, lambda e: e.offset > 2.6)
            s.played(name, 2.75)
            await s.hear(*ended("Kubernetes.", 2.0))
            turn = (await s.until(CandidateTurn)).turn
            assert (turn.text, turn.round) == ("Kubernetes.", 1)
            await s.started(Phase.QUESTION)

    run(main())


@pytest.mark.parametrize("command", [m.Pause, m.End])
def test_no_command_discards_what_was_being_said(command: type[m.Pause] | type[m.End]) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            await s.until(CandidatePartial)
            sent = command()
            s.seat.send(sent)
            await s.recogniser.streams[-1].finalized.wait()
            await s.hear(final(f"{ANSWER} {TAIL}"))
            await sent.done.wait()
            assert said_to(s) == [f"{ANSWER} {TAIL}"]

    run(main())


def test_a_model_that_hangs_is_told_and_not_waited_for_again() -> None:
    async def main() -> None:
        async with stage(pace=replace(FAST, patience=0.6, follow_up_budget=2.0)) as s:
            s.join()
            await s.to_first_question()
            s.model.gate.clear()
            asked = asyncio.get_running_loop().time()
            await s.answer(ANSWER)
            told = await s.until(ServiceDegraded)
            assert (told.service, told.recovered, told.remedy) == ("llm", False, Remedy.CARRY_ON)
            assert asyncio.get_running_loop().time() - asked <= 3.0
            await asyncio.sleep(20.0)
            later = [e.event for e in s.conversation.chronicle.journal.after(0)]
            assert not [e for e in later if isinstance(e, ServiceDegraded) and e.recovered]
            s.model.gate.set()
            await s.until(ServiceDegraded, lambda e: e.recovered)

    run(main())


def test_a_synthesiser_that_hangs_is_waited_for_once() -> None:
    async def main() -> None:
        async with stage(pace=replace(FAST, first_audio=2.5)) as s:
            s.join()
            await s.to_first_question()
            never = asyncio.Event()
            s.synthesiser.hangs = never
            clock = asyncio.get_running_loop()
            before = clock.time()
            await s.answer(ANSWER)
            told = await s.until(ServiceDegraded)
            assert (told.service, told.remedy) == ("tts", Remedy.READ_TEXT)
            assert clock.time() - before <= 3.0
            assert (await s.until(UtteranceStarted)).format is None
            before = clock.time()
            s.seat.send(m.Typed(ANSWER))
            assert (await s.until(UtteranceStarted)).format is None
            assert clock.time() - before < 0.1
            never.set()
            s.synthesiser.hangs = None
            await s.until(ServiceDegraded, lambda e: e.recovered)
            s.seat.send(m.Typed(TAIL))
            assert (await s.until(UtteranceStarted)).format is not None

    run(main())


def test_a_client_of_another_format_cuts_no_line_that_counts_as_heard() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.play_out(Phase.OPENING)
            name = await s.started(Phase.QUESTION)
            s.played(name, 0.7)
            last = s.conversation.chronicle.journal.last_seq
            s.seat = s.attendance.join(None, AudioFormat(Encoding.PCM_S16LE, 48000), last)
            s._entries = s.seat.entries()
            cut = await s.until(UtteranceEnded, lambda e: e.utterance_id == name)
            assert (cut.interrupted, cut.turn.text) == (True, "Let's begin.")
            again = await s.until(UtteranceStarted)
            text = await s.until(InterviewerText, lambda e: e.utterance_id == again.utterance_id)
            assert "database number 1" in text.text

    run(main())


def test_a_question_that_was_cut_short_is_quoted_whole() -> None:
    async def main() -> None:
        async with stage(rounds=1, follow_ups=0) as s:
            s.join()
            await s.play_out(Phase.OPENING)
            name = await s.started(Phase.QUESTION)
            await s.until(InterviewerAudio, lambda e: e.offset > 2.6)
            s.played(name, 2.05)
            await s.hear(*ended(ANSWER, 2.0))
            cut = await s.until(UtteranceEnded)
            assert cut.interrupted
            await s.play_out(Phase.CLOSING)
            report = (await s.until(ReportReady)).report
            asked = "How do you keep database number 1 healthy?"
            assert [q.question for q in report.questions] == [asked]

    run(main())


def test_who_only_greets_has_answered_nothing() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.started(Phase.OPENING)
            await s.hear(*ended("Hello, how are you today?", 0.0))
            await s.until(CandidateTurn)
            s.seat.send(m.End())
            events = await s.rest()
            assert isinstance(events[-1], StateChanged)
            assert events[-1].state is State.CANCELLED

    run(main())


def test_playback_does_not_run_before_there_is_anything_to_play() -> None:
    playback = Playback().pause(1.0).resume(5.0)
    assert playback.position(9.0) == 0.0
    playback = playback.send(2.0, now=9.0)
    assert playback.position(9.0) == 0.0
    assert playback.position(9.5) == pytest.approx(0.5)
    assert playback.stretches == ((0.0, 9.0),)


def test_sound_that_comes_late_was_not_played_before_it_came() -> None:
    playback = Playback().send(1.0, now=0.0).send(2.0, now=5.0)
    assert playback.position(5.0) == pytest.approx(1.0)
    assert playback.position(5.5) == pytest.approx(1.5)


def test_what_counts_as_heard_of_a_client_that_fell_silent_is_what_it_acknowledged() -> None:
    playback = Playback().send(10.0, now=0.0).acknowledge(Heard(1.5, 1.5, finished=False))
    assert playback.heard(2.0) == pytest.approx(2.0)
    assert playback.heard(8.0) == 1.5


def test_a_question_that_the_bank_has_no_longer_moves_no_other_round() -> None:
    async def main() -> None:
        async with stage(rounds=3, follow_ups=0, missing=[2]) as s:
            s.join()
            await s.to_first_question()
            await s.hear(*ended(ANSWER, 0.0))
            ended_third = await s.play_out(Phase.QUESTION)
            assert (ended_third.turn.round, ended_third.turn.question_id) == (3, "q3")
            await s.hear(*ended(TAIL, 20.0))
            await s.play_out(Phase.CLOSING)
            report = (await s.until(ReportReady)).report
            assert [q.question_id for q in report.questions] == ["q1", "q3"]

    run(main())


def test_a_wrong_end_stops_the_reply_and_the_same_answer_goes_on() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            words = spoken(ANSWER, 0.0)
            probably = ProbablyEnded(ANSWER, words, 0.0, words[-1].end)
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""), probably)
            await s.hear(PauseHeard(0.9, words[-1].end, 0.9))
            await s.recogniser.streams[-1].finalized.wait()
            await s.hear(TurnEnded(ANSWER, words, 0.0, words[-1].end))
            told = (await s.until(CandidateTurn)).turn
            name = await s.started(Phase.FOLLOW_UP)
            s.played(name, 0.3)
            before = asyncio.get_running_loop().time()
            await s.hear(*ended(TAIL, 6.0))
            stop = await s.until(PlaybackControl, lambda e: e.action is PlaybackAction.STOP)
            assert stop.utterance_id == name
            assert asyncio.get_running_loop().time() - before <= 0.15
            assert (await s.until(CandidateTurnReopened)).turn_id == told.id
            assert (await s.until(CandidateTurn)).turn.text == f"{ANSWER} {TAIL}"
            assert said_to(s) == [f"{ANSWER} {TAIL}"]

    run(main())


def test_a_pause_in_an_unfinished_sentence_is_waited_out() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await under_way(s, "We moved the database because")
            for tenths in range(3, 20):
                await s.hear(PauseHeard(tenths / 10, 1.5, 0.4))
                await asyncio.sleep(0.1)
            assert not s.recogniser.streams[-1].finalized.is_set()
            await s.hear(WentOn(3.5))
            await asyncio.sleep(1.0)
            await s.hear(PartialHeard("We moved the database because it was slow.", ""))
            await s.hear(PauseHeard(1.0, 5.0, 0.9))
            await asyncio.wait_for(s.recogniser.streams[-1].finalized.wait(), 5.0)

    run(main())
