"""Turns that go on: held open, taken back, borne patiently."""

from __future__ import annotations

import asyncio

import pytest

from services.interview.clients.seams import (
    Endpointing,
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
    CandidateTurnReopened,
    PlaybackControl,
    StateChanged,
    TurnHeld,
    UtteranceStarted,
)
from services.interview.record import Patience, Phase, Speaker, State, Turn
from tests.interview.stage import PATIENCE, FakeStream, Stage, spoken, stage

FIRST = "I watch the slow queries."
SECOND = "And then I add an index to the table."
WHOLE = f"{FIRST} {SECOND}"


def ended(text: str, start: float) -> tuple[SpeechBegan, PartialHeard, TurnEnded]:
    words = spoken(text, start)
    return (
        SpeechBegan(start),
        PartialHeard(text, ""),
        TurnEnded(text, words, start, words[-1].end),
    )


def answers(s: Stage) -> list[Turn]:
    turns = s.conversation.chronicle.interview.turns
    return [turn for turn in turns if turn.speaker is Speaker.CANDIDATE]


async def endpointing(stream: FakeStream) -> Endpointing:
    async with asyncio.timeout(PATIENCE):
        return await stream.endpointing.get()


async def test_who_goes_on_before_the_reply_was_heard_has_given_one_answer() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(*ended(FIRST, 0.0))
        told = (await s.until(CandidateTurn)).turn
        await s.started(Phase.FOLLOW_UP)
        await s.hear(*ended(SECOND, 3.0))
        assert (await s.until(CandidateTurnReopened)).turn_id == told.id
        again = (await s.until(CandidateTurn)).turn
        assert (again.id, again.text) == (told.id, WHOLE)
        assert again.start == told.start
        assert again.end == pytest.approx(spoken(SECOND, 3.0)[-1].end, abs=1.0)
        assert [word.text for word in again.words] == WHOLE.split()
        await s.play_out(Phase.FOLLOW_UP)
        assert answers(s) == [again]
        assert s.model.prompts[-1][-2].content.endswith(WHOLE)


async def test_who_goes_on_while_the_reply_is_made_has_given_one_answer() -> None:
    async with stage(pace=Pace(patience=60.0, follow_up_budget=PATIENCE)) as s:
        s.join()
        await s.to_first_question()
        s.model.gate.clear()
        await s.hear(*ended(FIRST, 0.0), *ended(SECOND, 3.0))
        first = (await s.until(CandidateTurn)).turn
        assert (await s.until(CandidateTurnReopened)).turn_id == first.id
        assert (await s.until(CandidateTurn)).turn.text == WHOLE
        assert [turn.text for turn in answers(s)] == [WHOLE]


async def test_a_turn_that_did_not_go_on_after_all_is_told_again_as_it_was() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(*ended(FIRST, 0.0))
        told = (await s.until(CandidateTurn)).turn
        await s.started(Phase.FOLLOW_UP)
        await s.hear(SpeechBegan(3.0), PartialHeard("and then we", ""), TurnEnded("", (), 3.0, 4.0))
        await s.until(CandidateTurnReopened)
        assert (await s.until(CandidateTurn)).turn == told
        await s.play_out(Phase.FOLLOW_UP)
        assert answers(s) == [told]


async def test_an_end_while_the_candidate_goes_on_keeps_the_turn() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(*ended(FIRST, 0.0))
        told = (await s.until(CandidateTurn)).turn
        await s.started(Phase.FOLLOW_UP)
        await s.hear(SpeechBegan(3.0), PartialHeard("and then we", ""))
        await s.until(CandidateTurnReopened)
        s.seat.send(m.End())
        # What came of it is understood to have been no words, in the end.
        await s.hear(TurnEnded("", (), 3.0, 4.0))
        assert (await s.until(CandidateTurn)).turn == told
        await s.until(StateChanged, lambda e: e.state is State.COMPLETED)
        assert answers(s) == [told]


async def test_a_reply_that_was_heard_is_answered_by_a_turn_of_its_own() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(*ended(FIRST, 0.0))
        name = await s.started(Phase.FOLLOW_UP)
        s.played(name, 1.6)
        await s.hear(*ended(SECOND, 3.0))
        await s.until(PlaybackControl)
        await s.until(CandidateTurn, lambda e: e.turn.text == SECOND)
        assert [turn.text for turn in answers(s)] == [FIRST, SECOND]
        assert not [e for e in s.seen if isinstance(e.event, CandidateTurnReopened)]


async def test_a_held_turn_stays_open_through_silence_until_the_candidate_goes_on() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        stream = await s.stream()
        await s.hear(SpeechBegan(0.0), PartialHeard(FIRST, ""))
        await s.until(CandidatePartial)
        s.seat.send(m.Hold(60.0))
        assert (await s.until(TurnHeld)).until == pytest.approx(60, abs=5)
        assert (await endpointing(stream)).max_silence == 30
        # Longer than a recogniser bears: it ends the turn, the interviewer does not take it.
        words = spoken(FIRST, 0.0)
        await s.hear(
            ProbablyEnded(FIRST, words, 0.0, words[-1].end),
            TurnEnded(FIRST, words, 0.0, words[-1].end),
            *ended(SECOND, 40.0),
        )
        assert (await s.until(TurnHeld)).until is None
        assert (await endpointing(stream)).max_silence == pytest.approx(4.5)
        assert (await s.until(CandidateTurn)).turn.text == WHOLE
        assert [turn.text for turn in answers(s)] == [WHOLE]
        assert not s.model.prompts or s.model.prompts[-1][-2].content.endswith(WHOLE)


async def test_a_held_turn_goes_on_within_the_recognisers_turn() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        words = spoken(FIRST, 0.0)
        await s.hear(SpeechBegan(0.0), PartialHeard(FIRST, ""))
        await s.until(CandidatePartial)
        s.seat.send(m.Hold(60.0))
        await s.until(TurnHeld)
        await s.hear(ProbablyEnded(FIRST, words, 0.0, words[-1].end), WentOn(20.0))
        assert (await s.until(TurnHeld)).until is None
        all_words = (*words, *spoken(SECOND, 20.0))
        await s.hear(TurnEnded(WHOLE, all_words, 0.0, 25.0))
        assert (await s.until(CandidateTurn)).turn.text == WHOLE


async def test_a_hold_that_nobody_ends_is_over_at_its_limit() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(SpeechBegan(0.0), PartialHeard(FIRST, ""))
        await s.until(CandidatePartial)
        s.seat.send(m.Hold(0.3))
        await s.until(TurnHeld)
        words = spoken(FIRST, 0.0)
        await s.hear(TurnEnded(FIRST, words, 0.0, words[-1].end))
        assert (await s.until(TurnHeld)).until is None
        assert (await s.until(CandidateTurn)).turn.text == FIRST
        await s.play_out(Phase.FOLLOW_UP)


async def test_a_longer_hold_takes_the_place_of_a_shorter_one() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        s.seat.send(m.Hold(0.01))
        s.seat.send(m.Hold(60.0))
        await s.until(TurnHeld, lambda e: e.until is not None and e.until > 50)
        # The first one's limit passes unnoticed: this answer comes after it.
        await s.hear(SpeechBegan(0.0))
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.02, passed.set)
        await passed.wait()
        assert not [e for e in s.seen if isinstance(e.event, TurnHeld) and e.event.until is None]
        s.seat.send(m.Finished())
        assert (await s.until(TurnHeld)).until is None


async def test_finishing_a_held_turn_brings_the_reply() -> None:
    async with stage() as s:
        s.join()
        await s.to_first_question()
        await s.hear(SpeechBegan(0.0), PartialHeard(FIRST, ""))
        await s.until(CandidatePartial)
        s.seat.send(m.Hold(60.0))
        await s.until(TurnHeld)
        words = spoken(FIRST, 0.0)
        await s.hear(TurnEnded(FIRST, words, 0.0, words[-1].end), SpeechBegan(9.0))
        await s.hear(TurnEnded("", (), 9.0, 9.5))
        s.seat.send(m.Finished())
        assert (await s.until(CandidateTurn)).turn.text == FIRST
        await s.play_out(Phase.FOLLOW_UP)


async def test_who_asks_for_time_right_after_the_end_of_turn_gets_it() -> None:
    async with stage(pace=Pace(patience=60.0, follow_up_budget=PATIENCE)) as s:
        s.join()
        await s.to_first_question()
        s.model.gate.clear()
        await s.hear(*ended(FIRST, 0.0))
        told = (await s.until(CandidateTurn)).turn
        s.seat.send(m.Hold(60.0))
        assert (await s.until(CandidateTurnReopened)).turn_id == told.id
        s.model.gate.set()
        await s.hear(*ended(SECOND, 20.0))
        assert (await s.until(CandidateTurn)).turn.text == WHOLE
        started = [e.event for e in s.seen if isinstance(e.event, UtteranceStarted)]
        assert started[-1].phase is Phase.QUESTION


@pytest.mark.parametrize(
    ("patience", "silence"),
    [(Patience.BRISK, 3.15), (Patience.NORMAL, 4.5), (Patience.PATIENT, 9.0)],
)
async def test_patience_is_the_silence_that_is_borne_at_most(
    patience: Patience, silence: float
) -> None:
    async with stage(patience=patience) as s:
        s.join()
        await s.started(Phase.OPENING)
        assert (await s.stream()).config.max_silence == pytest.approx(silence)


async def test_patience_changes_in_mid_stream_and_for_later_streams() -> None:
    async with stage() as s:
        s.join()
        await s.started(Phase.OPENING)
        stream = await s.stream()
        s.seat.send(m.SetPatience(Patience.PATIENT))
        assert (await endpointing(stream)).max_silence == pytest.approx(9.0)
        assert s.conversation.chronicle.interview.settings.patience is Patience.PATIENT
        s.seat.send(m.Hold(60.0))
        assert (await endpointing(stream)).max_silence == 30
        s.seat.send(m.Finished())
        assert (await endpointing(stream)).max_silence == pytest.approx(9.0)
