"""Whatever happens between an answer and its reply: the reply comes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.interview.clients.seams import (
    DependencyFailed,
    PartialHeard,
    SpeechBegan,
    TurnEnded,
)
from services.interview.conversation import messages as m
from services.interview.events import (
    CandidateTurn,
    CandidateTurnReopened,
    PlaybackAction,
    PlaybackControl,
    TurnHeld,
)
from services.interview.record import Phase
from tests.interview.stage import FAST, Stage, spoken, stage
from tests.runtime.virtual_time import run

ANSWER = "I look at the slow queries first and then I add an index for the worst one."
PATIENT = replace(FAST, patience=5.0)


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
