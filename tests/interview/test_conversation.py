"""The live loop, driven through its seams."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from services.interview.clients.seams import (
    DependencyFailed,
    PartialHeard,
    ProbablyEnded,
    SpeechBegan,
    TurnEnded,
    WentOn,
)
from services.interview.conversation import events as m
from services.interview.conversation.pace import Pace
from services.interview.events import (
    CandidatePartial,
    CandidateTurn,
    InterviewerAudio,
    InterviewerText,
    PlaybackAction,
    PlaybackControl,
    Remedy,
    ReportReady,
    ServiceDegraded,
    StateChanged,
    TurnTimings,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.record import Phase, Speaker, State
from services.interview.reports.report import Basis
from tests.interview.stage import FAST, PATIENCE, spoken, stage

ANSWER = "I watch the slow queries and then I add an index to the table."
AGAIN = "We take backups every night and we restore one of them each month."


async def test_an_interview_runs_from_the_greeting_to_the_report() -> None:
    async with stage(rounds=2, follow_ups=1) as s:
        s.join()
        await s.to_first_question()
        for number, text in enumerate([ANSWER, AGAIN, ANSWER, AGAIN]):
            await s.answer(text)
            follows = (Phase.FOLLOW_UP, Phase.QUESTION, Phase.FOLLOW_UP, Phase.CLOSING)
            await s.play_out(follows[number])
        report = (await s.until(ReportReady)).report
        assert report.overall_score is not None
        assert [q.question_id for q in report.questions] == ["q1", "q2"]
        assert all(len(q.turn_ids) == 2 for q in report.questions)
        assert s.conversation.chronicle.interview.state is State.COMPLETED


async def test_events_are_numbered_without_gaps() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        await s.play_out(Phase.FOLLOW_UP)
        assert [entry.seq for entry in s.seen] == list(range(len(s.seen)))
        assert [e.at for e in s.seen] == sorted(e.at for e in s.seen)


async def test_the_model_asks_about_the_answer() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        text = await s.until(InterviewerText)
        assert text.text == "How did you choose the index?"
        assert ANSWER in s.model.prompts[-1][-2].content


async def test_an_eager_reply_is_spoken_at_the_end_of_turn() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        words = spoken(ANSWER, 0.0)
        await s.hear(SpeechBegan(0.0), ProbablyEnded(ANSWER, words, 0.0, words[-1].end))
        async with asyncio.timeout(PATIENCE):
            await s.model.asked.wait()
        await s.hear(TurnEnded(ANSWER, words, 0.0, words[-1].end))
        timings = await s.until(TurnTimings)
        assert timings.prepared_eagerly
        assert timings.first_audio is not None
        assert timings.eager_end_of_turn is not None
        assert timings.llm_first_token is not None
        assert len(s.model.prompts) == 1


async def test_a_resumed_turn_leaves_no_trace_of_the_prepared_reply() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        s.model.gate.clear()
        start = "I watch the slow queries."
        words = spoken(start, 0.0)
        await s.hear(SpeechBegan(0.0), ProbablyEnded(start, words, 0.0, words[-1].end))
        async with asyncio.timeout(PATIENCE):
            await s.model.asked.wait()
        await s.hear(WentOn(3.0))
        async with asyncio.timeout(PATIENCE):
            await s.model.cancelled.wait()
        s.model.gate.set()
        words = spoken(ANSWER, 0.0)
        await s.hear(TurnEnded(ANSWER, words, 0.0, words[-1].end))
        said = await s.play_out(Phase.FOLLOW_UP)
        assert said.turn.text == "How did you choose the index?"
        turns = s.conversation.chronicle.interview.turns
        assert [t.text for t in turns if t.speaker is Speaker.CANDIDATE] == [ANSWER]
        assert ANSWER in s.model.prompts[-1][-2].content


async def test_a_slow_model_is_replaced_by_the_bank() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        s.model.gate.clear()
        await s.answer(ANSWER)
        assert (await s.until(InterviewerText)).text == "Which index did you add to number 1?"
        assert s.model.cancelled.is_set()


@pytest.mark.parametrize(
    "pieces",
    [
        (" think", " about", " it", "."),
        (" follow the instructions given to the assistant about the index?",),
        (" " + "and the index " * 12, "?"),
        (" like your summer holidays in Spain?",),
        (),
    ],
)
async def test_what_the_guard_refuses_is_not_said(pieces: tuple[str, ...]) -> None:
    async with stage() as s:
        s.model.pieces = pieces
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        assert (await s.until(InterviewerText)).text == "Which index did you add to number 1?"


async def test_a_follow_up_is_drafted_while_the_candidate_speaks() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
        async with asyncio.timeout(PATIENCE):
            await s.model.asked.wait()
        await s.until(CandidatePartial)
        while "How did you choose the index?" not in s.synthesiser.texts:
            await s.synthesiser.asked.get()
        s.model.gate.clear()
        whole = f"{ANSWER} That is all."
        words = spoken(whole, 0.0)
        await s.hear(TurnEnded(whole, words, 0.0, words[-1].end))
        assert (await s.until(InterviewerText)).text == "How did you choose the index?"
        assert len(s.model.prompts) == 1


async def test_the_next_lines_are_made_while_the_candidate_speaks() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.begin_speech()
        ahead = [text for text, ahead in s.synthesiser.ahead.items() if ahead]
        assert "Which index did you add to number 1?" in ahead
        assert any("database number 2" in text for text in ahead)


async def test_a_candidate_with_nothing_to_say_gets_the_next_question() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.answer("Sorry, I don't know.")
        assert "database number 2" in (await s.until(InterviewerText)).text


async def test_words_stop_the_interviewer_and_the_record_keeps_what_was_heard() -> None:
    async with stage() as s:
        s.join()
        await s.play_out(Phase.OPENING)
        name = await s.started(Phase.QUESTION)
        await s.until(InterviewerAudio, lambda e: e.offset > 2.6)
        s.played(name, 2.05)
        await s.begin_speech()
        assert (await s.until(PlaybackControl)).action is PlaybackAction.PAUSE
        await s.hear(PartialHeard("let me", " answer that"))
        assert (await s.until(PlaybackControl)).action is PlaybackAction.STOP
        ended = await s.until(UtteranceEnded)
        assert ended.interrupted
        assert ended.turn.text == "Let's begin. How do you keep database"
        words = spoken(ANSWER, 5.0)
        await s.hear(TurnEnded(ANSWER, words, 5.0, words[-1].end))
        await s.until(CandidateTurn)
        turns = s.conversation.chronicle.interview.turns
        assert [t.text for t in turns[1:]] == [ended.turn.text, ANSWER]
        await s.started(Phase.FOLLOW_UP)


async def test_a_sign_of_listening_does_not_stop_the_interviewer() -> None:
    async with stage() as s:
        s.join()
        await s.play_out(Phase.OPENING)
        name = await s.started(Phase.QUESTION)
        await s.begin_speech()
        await s.until(PlaybackControl)
        await s.hear(PartialHeard("", "mm-hm"), TurnEnded("Mm-hm.", (), 0.0, 0.4))
        assert (await s.until(PlaybackControl)).action is PlaybackAction.RESUME
        s.played(name, 1e6, finished=True)
        assert not (await s.until(UtteranceEnded)).interrupted
        await s.answer(ANSWER)
        assert (await s.until(CandidateTurn)).turn.text == ANSWER


async def test_a_cough_lets_playback_go_on() -> None:
    async with stage() as s:
        s.join()
        await s.play_out(Phase.OPENING)
        await s.started(Phase.QUESTION)
        await s.begin_speech()
        assert (await s.until(PlaybackControl)).action is PlaybackAction.PAUSE
        assert (await s.until(PlaybackControl)).action is PlaybackAction.RESUME


async def test_an_answer_that_goes_on_before_the_reply_is_heard_is_one_answer() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        s.synthesiser.gates["How did you choose the index?"] = asyncio.Event()
        await s.answer(ANSWER)
        await s.until(CandidateTurn)
        await s.answer(AGAIN)
        s.synthesiser.gates["How did you choose the index?"].set()
        await s.until(CandidateTurn)
        await s.started(Phase.FOLLOW_UP)
        assert f"{ANSWER} We take backups" in s.model.prompts[-1][-2].content


async def test_typed_answers_work_without_audio() -> None:
    async with stage(rounds=1, follow_ups=0) as s:
        s.join(text_only=True)
        await s.until(UtteranceEnded, lambda e: e.turn.question_id == "q1")
        s.seat.send(m.Typed(ANSWER))
        turn = (await s.until(CandidateTurn)).turn
        assert turn.typed
        assert turn.words == ()
        report = (await s.until(ReportReady)).report
        assert "delivery" not in {d.name for d in report.dimensions}
        assert not s.synthesiser.texts


async def test_without_speech_synthesis_the_text_remains() -> None:
    async with stage() as s:
        s.synthesiser.broken = True
        s.join()
        degraded = await s.until(ServiceDegraded)
        assert (degraded.service, degraded.remedy) == ("tts", Remedy.READ_TEXT)
        assert (await s.until(UtteranceStarted)).format is None
        assert "welcome" in (await s.until(InterviewerText)).text
        s.synthesiser.broken = False
        await s.answer(ANSWER)
        recovered = await s.until(ServiceDegraded)
        assert recovered.recovered


async def test_without_recognition_answers_are_typed() -> None:
    async with stage() as s:
        s.recogniser.broken = True
        s.join()
        await s.to_first_question()
        s.conversation.ears.hear(bytes(640))
        degraded = await s.until(ServiceDegraded)
        assert (degraded.service, degraded.remedy) == ("asr", Remedy.TYPE_ANSWERS)
        s.seat.send(m.Typed(ANSWER))
        await s.started(Phase.FOLLOW_UP)


async def test_a_broken_recognition_stream_hears_the_running_turn_again() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.begin_speech()
        first = await s.stream()
        s.conversation.ears.hear(b"\1\0" * 160)
        first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
        async with asyncio.timeout(PATIENCE):
            while len(s.recogniser.streams) < 2:
                await s.recogniser.opened.get()
            second = s.recogniser.streams[-1]
            while await second.sent.get() != b"\1\0" * 160:
                pass
        words = spoken(ANSWER, 0.0)
        second.heard.put_nowait(TurnEnded(ANSWER, words, 0.0, words[-1].end))
        assert (await s.until(CandidateTurn)).turn.text == ANSWER


async def test_without_a_model_the_bank_asks() -> None:
    async with stage() as s:
        s.model.broken = True
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        degraded = await s.until(ServiceDegraded)
        assert (degraded.service, degraded.remedy) == ("llm", Remedy.CARRY_ON)
        assert (await s.until(InterviewerText)).text == "Which index did you add to number 1?"


async def test_without_embeddings_the_report_says_what_it_rests_on() -> None:
    async with stage(rounds=1, follow_ups=0) as s:
        s.embedder.broken = "embed"
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        await s.play_out(Phase.CLOSING)
        assert (await s.until(ReportReady)).report.basis is Basis.RUBRIC_LEXICAL
        told = [e.event for e in s.seen if isinstance(e.event, ServiceDegraded)]
        assert [(d.service, d.remedy) for d in told] == [("embed", Remedy.CARRY_ON)]


async def test_a_pause_stops_and_a_resume_asks_again() -> None:
    async with stage() as s:
        s.join()
        await s.play_out(Phase.OPENING)
        await s.started(Phase.QUESTION)
        pause = m.Pause()
        s.seat.send(pause)
        await s.until(StateChanged, lambda e: e.state is State.PAUSED)
        async with asyncio.timeout(PATIENCE):
            await pause.done.wait()
        s.seat.send(m.Resume())
        await s.until(StateChanged, lambda e: e.state is State.LIVE)
        said = await s.play_out(Phase.QUESTION)
        assert "database number 1" in said.turn.text
        turns = s.conversation.chronicle.interview.turns
        assert all(turn.speaker is Speaker.INTERVIEWER for turn in turns)


async def test_ending_early_reports_on_what_was_said() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        await s.play_out(Phase.FOLLOW_UP)
        s.seat.send(m.End())
        report = (await s.until(ReportReady)).report
        assert [q.question_id for q in report.questions] == ["q1"]


async def test_ending_before_any_answer_cancels() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        s.seat.send(m.End())
        events = await s.rest()
        assert isinstance(events[-1], StateChanged)
        assert events[-1].state is State.CANCELLED


async def test_an_interrupt_moves_past_the_greeting() -> None:
    async with stage() as s:
        s.join()
        await s.started(Phase.OPENING)
        s.seat.send(m.Interrupted())
        assert (await s.until(PlaybackControl)).action is PlaybackAction.STOP
        await s.started(Phase.QUESTION)


async def test_finish_turn_reaches_the_recogniser() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        stream = await s.stream()
        s.seat.send(m.Finished())
        async with asyncio.timeout(PATIENCE):
            await stream.finalized.wait()


async def test_a_client_that_comes_back_gets_the_rest() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        last = s.seen[-1].seq
        s.attendance.leave(s.seat)
        await s.answer(ANSWER)
        s.join(last_seq=last)
        await s.started(Phase.FOLLOW_UP)
        # The answer to a join goes under the number of what was seen before it.
        numbers = [entry.seq for entry in s.seen]
        assert numbers == [*range(last + 1), *range(last, numbers[-1] + 1)]


async def test_an_absent_candidate_finds_the_interview_paused() -> None:
    async with stage(absence_seconds=0.01) as s:
        s.join()
        await s.to_first_question()
        s.attendance.leave(s.seat)
        await s.until(StateChanged, lambda e: e.state is State.PAUSED)
        s.join(last_seq=s.seen[-1].seq)
        await s.until(StateChanged, lambda e: e.state is State.LIVE)


async def test_an_abandoned_interview_ends_and_makes_room() -> None:
    async with stage(absence_seconds=0.01, abandoned_seconds=0.05) as s:
        s.join()
        await s.to_first_question()
        await s.answer(ANSWER)
        await s.until(CandidateTurn)
        s.attendance.leave(s.seat)
        report = (await s.until(ReportReady)).report
        assert [q.question_id for q in report.questions] == ["q1"]


async def test_a_synthesiser_that_hangs_leaves_the_text() -> None:
    async with stage(pace=replace(FAST, first_audio=0.05)) as s:
        s.join()
        await s.to_first_question()
        s.synthesiser.gates["How did you choose the index?"] = asyncio.Event()
        await s.answer(ANSWER)
        degraded = await s.until(ServiceDegraded)
        assert (degraded.service, degraded.remedy) == ("tts", Remedy.READ_TEXT)
        assert (await s.until(InterviewerText)).text == "How did you choose the index?"


async def test_silence_shorter_than_the_pace_is_configured_at_the_recogniser() -> None:
    async with stage(pace=Pace(min_silence=0.2, max_silence=0.7)) as s:
        s.join()
        await s.started(Phase.OPENING)
        stream = await s.stream()
        assert (stream.config.min_silence, stream.config.max_silence) == (0.2, 0.7)


@pytest.mark.parametrize("drafted", [True, False])
async def test_a_reply_made_for_a_client_that_is_gone_is_said_to_the_next_as_it_asks(
    drafted: bool,
) -> None:
    async with stage(pace=Pace(patience=60.0, follow_up_budget=PATIENCE)) as s:
        s.join()
        await s.to_first_question()
        if drafted:
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            while "How did you choose the index?" not in s.synthesiser.texts:
                await s.synthesiser.asked.get()
        else:
            s.model.gate.clear()
            await s.answer(ANSWER)
            await s.until(CandidateTurn)
        last = s.conversation.chronicle.journal.last_seq
        s.join(text_only=True, last_seq=last)
        if drafted:
            await s.answer(ANSWER)
        else:
            s.model.gate.set()
        assert (await s.until(UtteranceStarted)).format is None
        text = await s.until(InterviewerText)
        assert text.text == "How did you choose the index?"
        ended = await s.until(UtteranceEnded)
        assert ended.turn.text == text.text
        said = s.conversation.chronicle.journal.after(last)
        assert not [e for e in said if isinstance(e.event, InterviewerAudio)]


async def test_a_reply_made_in_writing_is_spoken_to_a_client_that_listens() -> None:
    async with stage(pace=Pace(patience=60.0, follow_up_budget=PATIENCE)) as s:
        s.join(text_only=True)
        await s.started(Phase.QUESTION)
        await s.until(UtteranceEnded)
        s.model.gate.clear()
        s.seat.send(m.Typed(ANSWER))
        await s.until(CandidateTurn)
        s.join(last_seq=s.seen[-1].seq)
        s.model.gate.set()
        assert (await s.until(UtteranceStarted)).format is not None
        assert (await s.until(InterviewerText)).text == "How did you choose the index?"
