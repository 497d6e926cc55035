"""Whatever happens between an answer and its reply: the answer is kept, and the reply comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.interview.clients.seams import (
    DependencyFailed,
    PartialHeard,
    ProbablyEnded,
    SpeechBegan,
    TurnEnded,
)
from services.interview.conversation import events as m
from services.interview.events import (
    CandidatePartial,
    CandidateTurn,
    CandidateTurnReopened,
    PlaybackAction,
    PlaybackControl,
    ReportReady,
    StateChanged,
    TurnHeld,
    UtteranceStarted,
)
from services.interview.record import Phase, Speaker, State
from tests.interview.stage import FAST, Stage, spoken, stage
from tests.runtime.virtual_time import run

ANSWER = "I look at the slow queries first and then I add an index for the worst one."
PATIENT = replace(FAST, patience=5.0)


async def carried_out(s: Stage, command: m.Pause | m.Resume | m.End) -> None:
    s.seat.send(command)
    await command.done.wait()


def final(text: str) -> TurnEnded:
    words = spoken(text, 0.0)
    return TurnEnded(text, words, 0.0, words[-1].end)


async def under_way(s: Stage, text: str) -> None:
    """All words of an answer were heard, its final text has not come."""
    whole = final(text)
    ended = ProbablyEnded(text, whole.words, whole.start, whole.end)
    await s.hear(SpeechBegan(0.0), PartialHeard(text, ""), ended)
    await s.until(CandidatePartial)


def said_to(s: Stage) -> list[str]:
    """What the candidate said, as the record has it."""
    turns = s.conversation.chronicle.interview.turns
    return [turn.text for turn in turns if turn.speaker is Speaker.CANDIDATE]


async def broken(s: Stage) -> None:
    """The recognition stream breaks, and another is open."""
    opened = len(s.recogniser.streams)
    s.recogniser.streams[-1].heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
    while len(s.recogniser.streams) == opened:
        await s.recogniser.opened.get()


def test_a_typed_answer_is_replied_to_after_a_hold() -> None:
    async def main() -> None:
        async with stage(pace=PATIENT) as s:
            s.join()
            await s.to_first_question()
            s.model.gate.clear()
            s.seat.send(m.Typed(ANSWER))
            await s.until(CandidateTurn)
            s.seat.send(m.Hold(2.0))
            await s.until(TurnHeld)
            s.model.gate.set()
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


def test_who_goes_on_and_pauses_gets_the_reply_after_the_resume() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            s.model.gate.clear()
            await s.answer(ANSWER)
            await s.until(CandidateTurn)
            await s.hear(SpeechBegan(10.0), PartialHeard("and also", ""))
            await s.until(CandidateTurnReopened)
            await carried_out(s, m.Pause())
            await s.hear(TurnEnded("and also", spoken("and also", 10.0), 10.0, 10.6))
            s.model.gate.set()
            await s.until(CandidateTurn, lambda e: e.turn.text == f"{ANSWER} and also")
            await carried_out(s, m.Resume())
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


def test_a_sound_that_is_lost_with_its_stream_does_not_keep_the_reply_back() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            s.model.gate.clear()
            await s.answer(ANSWER)
            await s.until(CandidateTurn)
            await s.hear(SpeechBegan(10.0), PartialHeard("uh", ""))
            await s.until(CandidateTurnReopened)
            s.model.gate.set()
            # The reply is ready, and waits for the end of what may be more of the answer.
            await asyncio.sleep(1.0)
            await broken(s)
            assert (await s.until(CandidateTurn)).turn.text == ANSWER
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


def test_a_word_that_is_lost_with_its_stream_does_not_hold_playback_for_ever() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.play_out(Phase.OPENING)
            await s.started(Phase.QUESTION)
            await s.hear(SpeechBegan(1.0), PartialHeard("docker", ""))
            await s.until(PlaybackControl, lambda e: e.action is PlaybackAction.PAUSE)
            await broken(s)
            await s.until(PlaybackControl, lambda e: e.action is PlaybackAction.RESUME)

    run(main())


def test_who_goes_on_through_the_loss_of_a_stream_is_not_cut_off() -> None:
    async def main() -> None:
        async with stage(pace=replace(FAST, suspicion=2.0)) as s:
            s.join()
            await s.to_first_question()
            await s.answer(ANSWER)
            told = (await s.until(CandidateTurn)).turn
            await s.hear(SpeechBegan(10.0), PartialHeard("and also", ""))
            await s.until(CandidateTurnReopened)
            await broken(s)
            await s.hear(SpeechBegan(10.0), PartialHeard("and also we", ""))
            await asyncio.sleep(5.0)
            words = spoken("and also we measure", 10.0)
            await s.hear(TurnEnded("and also we measure", words, 10.0, 11.2))
            again = (await s.until(CandidateTurn)).turn
            assert (again.id, again.text) == (told.id, f"{ANSWER} and also we measure")
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


@pytest.mark.parametrize("text", [ANSWER, "Yes."])
def test_what_was_said_before_a_pause_is_kept_although_its_text_comes_late(text: str) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await under_way(s, text)
            await carried_out(s, m.Pause())
            await s.until(StateChanged, lambda e: e.state is State.PAUSED)
            await s.hear(final(text))
            assert (await s.until(CandidateTurn)).turn.text == text
            await asyncio.sleep(1.0)
            assert said_to(s)[-1] == text
            await carried_out(s, m.Resume())
            await s.until(UtteranceStarted)
            assert said_to(s)[-1] == text

    run(main())


@pytest.mark.parametrize("command", [m.Pause, m.End])
def test_a_command_waits_for_the_text_of_what_was_just_said(
    command: Callable[[], m.Pause | m.End],
) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await under_way(s, ANSWER)
            sent = command()
            s.seat.send(sent)
            await s.recogniser.streams[-1].finalized.wait()
            await s.hear(final(f"{ANSWER} Then I measure."))
            turn = (await s.until(CandidateTurn)).turn
            assert turn.text == f"{ANSWER} Then I measure."
            before = asyncio.get_running_loop().time()
            await sent.done.wait()
            assert asyncio.get_running_loop().time() == before
            assert s.conversation.chronicle.interview.state > State.LIVE

    run(main())


def test_an_end_whose_last_words_get_no_text_keeps_them_as_they_were_understood() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard("I look at the", " slow queries"))
            await s.until(CandidatePartial)
            await carried_out(s, m.End())
            assert (await s.until(CandidateTurn)).turn.text == "I look at the slow queries"
            await s.until(ReportReady)
            assert s.conversation.chronicle.interview.state is State.COMPLETED

    run(main())


def test_a_sign_of_listening_before_a_pause_is_no_answer() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.play_out(Phase.OPENING)
            await s.started(Phase.QUESTION)
            await s.hear(SpeechBegan(1.0), PartialHeard("mm-hm", ""))
            await s.until(PlaybackControl)
            await carried_out(s, m.Pause())
            await s.hear(TurnEnded("Mm-hm.", (), 1.0, 1.4))
            await asyncio.sleep(1.0)
            await carried_out(s, m.Resume())
            await s.play_out(Phase.QUESTION)
            assert not [t for t in said_to(s) if t == "Mm-hm."]

    run(main())


def test_commands_are_carried_out_in_the_order_they_came() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await under_way(s, ANSWER)
            orders = m.Pause(), m.Resume(), m.Pause()
            for order in orders:
                s.seat.send(order)
            await s.hear(final(ANSWER))
            for order in orders:
                await order.done.wait()
            assert s.conversation.chronicle.interview.state is State.PAUSED
            told = [
                e.event.state
                for e in s.conversation.chronicle.journal.after(0)
                if isinstance(e.event, StateChanged)
            ]
            assert told[-3:] == [State.PAUSED, State.LIVE, State.PAUSED]

    run(main())
