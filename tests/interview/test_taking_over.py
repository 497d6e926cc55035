"""An orchestrator dies in mid-interview, and another takes it up from what was stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.interview.clients.seams import PartialHeard, SpeechBegan, TurnEnded
from services.interview.conversation import events as m
from services.interview.conversation.engine import FORGOTTEN_SECONDS
from services.interview.conversation.state import OrderKind, SessionState
from services.interview.events import (
    AudioReceived,
    CandidateTurn,
    InterviewerText,
    StateChanged,
    TurnHeld,
    UtteranceEnded,
)
from services.interview.record import Interview, Patience, Phase, Speaker, State
from services.interview.store.memory import MemoryStore
from services.interview.store.store import Lease
from tests.interview.stage import FailingStore, Stage, question, spoken, stage
from tests.interview.test_engine import asked as asked_in_world
from tests.interview.world import PCM, World
from tests.runtime.virtual_time import run

RATE = 16_000
CHUNK_SECONDS = 0.1
CHUNK_BYTES = 3200
ANSWER = "I look at the slow query log and then I add the right index"


def sound(seconds: float, level: int) -> bytes:
    """A tone of 440 Hz."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 440 * times)).astype("<i2").tobytes()


def speech(seconds: float) -> bytes:
    """Loud noise: every piece of it is unlike every other."""
    noise = np.random.default_rng(7).integers(-8000, 8000, round(seconds * RATE))
    return noise.astype("<i2").tobytes()


async def microphone(s: Stage, seconds: float, level: int = 0) -> None:
    """Sends audio in real time, right behind what was sent before."""
    for _ in range(round(seconds / CHUNK_SECONDS)):
        await asyncio.sleep(CHUNK_SECONDS)
        s.seat.hear(sound(CHUNK_SECONDS, level), None, "chunk")


async def died(s: Stage) -> tuple[Interview, SessionState]:
    """What the store has of the interview, as the next process reads it."""
    kept = await s.store.session("interview")
    interview = await s.store.find("somebody", "interview")
    assert kept is not None
    assert interview is not None
    return replace(interview, state=State.PAUSED), SessionState.from_json(kept[0])


def acknowledged(s: Stage) -> float:
    """Up to where the audio was, by all that was told."""
    told = s.conversation.chronicle.journal.after(0)
    return max((e.event.offset for e in told if isinstance(e.event, AudioReceived)), default=0.0)


def asked_again(s: Stage) -> list[str]:
    return [entry.event.text for entry in s.seen if isinstance(entry.event, InterviewerText)]


async def to_live(s: Stage) -> None:
    s.join()
    await s.until(StateChanged, lambda event: event.state is State.LIVE)


def test_an_answer_under_way_is_heard_again_and_its_question_is_not_asked_again() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            await first.begin_speech()
            await first.hear(PartialHeard("I look at", ""))
            await asyncio.sleep(1.0)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            await to_live(second)
            second.now = second.conversation.chronicle.clock.now()
            await second.answer(ANSWER)
            turn = (await second.until(CandidateTurn)).turn
            assert (turn.text, turn.round, turn.question_id) == (ANSWER, 1, "q1")
            await second.play_out(Phase.QUESTION)
            assert question(1).text not in " ".join(asked_again(second))
            turns = second.conversation.chronicle.interview.turns
            assert [t.speaker for t in turns].count(Speaker.CANDIDATE) == 1

    run(main())


def test_who_says_nothing_more_is_asked_again_after_the_usual_time() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            await to_live(second)
            told = second.conversation.chronicle.journal
            await asyncio.sleep(10.0)
            assert not [e for e in told.after(0) if isinstance(e.event, InterviewerText)]
            await asyncio.sleep(20.0)
            text = (await second.until(InterviewerText)).text
            assert question(1).text in text

    run(main())


def test_a_question_that_was_not_heard_is_asked_once_nothing_is_heard_again() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.play_out(Phase.OPENING)
            await first.started(Phase.QUESTION)
            await asyncio.sleep(0)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            await to_live(second)
            assert question(1).text in (await second.until(InterviewerText)).text

    run(main())


def test_who_comes_back_after_long_hears_the_question_once_more() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            left = await died(first)
        async with stage(follow_ups=0, restored=left, away=FORGOTTEN_SECONDS + 1.0) as second:
            await to_live(second)
            began = second.conversation.chronicle.clock.now()
            assert question(1).text in (await second.until(InterviewerText)).text
            assert second.conversation.chronicle.clock.now() - began < 5.0

    run(main())


def paused_in_mid_answer() -> tuple[World, float]:
    """What was said before the pause is not final yet; when it began."""
    world = asked_in_world()
    began = world.now
    world.happen(m.Heard(SpeechBegan(began)))
    world.pass_time(3.0)
    world.happen(m.Heard(PartialHeard(ANSWER, "")))
    world.order(OrderKind.PAUSE)
    world.pass_time(world.pace.order + 0.1)
    world.settle()
    assert world.state.state is State.PAUSED
    return world, began


@pytest.mark.parametrize("handed_on", [False, True])
@pytest.mark.parametrize("heard_again", [False, True])
def test_words_from_before_a_pause_are_kept_once_where_another_process_goes_on(
    handed_on: bool, heard_again: bool
) -> None:
    before, began = paused_in_mid_answer()
    if handed_on:
        before.order(OrderKind.HAND_ON)
        before.settle()
    world = before.gone_on_with()
    world.settle()
    assert world.turns() == [ANSWER]
    world.happen(m.Joined(PCM))
    world.settle()
    if heard_again:
        world.happen(m.Heard(SpeechBegan(began)))
        world.happen(m.Heard(PartialHeard("I look at", "")))
        world.settle()
        world.happen(m.Heard(TurnEnded(f"{ANSWER} too", (), began, began + 3.5)))
    else:
        world.pass_time(world.pace.suspicion)
    world.settle()
    assert world.turns() == ([f"{ANSWER} too"] if heard_again else [ANSWER])
    assert world.state.place.step.phase is Phase.FOLLOW_UP


@pytest.mark.parametrize("handed_on", [False, True])
def test_a_wish_that_is_heard_again_by_another_process_is_no_answer(handed_on: bool) -> None:
    before = asked_in_world()
    began, wish = before.now, "Next question, please."
    before.happen(m.Heard(SpeechBegan(began)))
    before.pass_time(1.0)
    before.happen(m.Heard(PartialHeard(wish, "")))
    if handed_on:
        before.order(OrderKind.HAND_ON)
        before.pass_time(before.pace.order + 0.1)
        before.settle()
    world = before.gone_on_with()
    world.happen(m.Joined(PCM))
    world.settle()
    world.happen(m.Heard(SpeechBegan(began)))
    world.happen(m.Heard(TurnEnded(wish, (), began, began + 1.0)))
    world.settle()
    assert world.turns() == [wish]
    assert world.state.place.step.round == 2


def test_words_from_before_a_pause_are_kept_where_the_interview_is_ended_in_it() -> None:
    world, _ = paused_in_mid_answer()
    for text in ("I want to end the interview.", "Yes."):
        world.happen(m.Typed(text))
    world.settle()
    assert ANSWER in world.turns()
    assert world.state.state is State.COMPLETED


def test_speech_after_a_takeover_is_not_taken_for_what_came_before_a_typed_answer() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            await asyncio.sleep(1.0)
            first.seat.send(m.Typed("I type the first answer."))
            await first.play_out(Phase.QUESTION)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            await to_live(second)
            await asyncio.sleep(1.0)
            await second.hear(SpeechBegan(0.0), PartialHeard("I look", ""))
            await asyncio.sleep(0.1)
            state = second.conversation.state
            assert state.speech.worded
            assert state.superseded is not None
            assert state.speech.start > state.superseded.start

    run(main())


# What is acknowledged.


def test_nothing_is_acknowledged_from_before_an_answer_began_until_it_is_stored() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(follow_ups=0, store=store) as s:
            s.join()
            await s.to_first_question()
            await microphone(s, 5.0)
            begins = s.conversation.ears.intake.received
            # It is told of late.
            await microphone(s, 1.5, level=3000)
            assert begins - 2.5 <= acknowledged(s) <= begins
            await s.hear(SpeechBegan(begins), PartialHeard("I look at", ""))
            await microphone(s, 6.0, level=3000)
            await microphone(s, 4.0)
            assert acknowledged(s) <= begins
            end = begins + 7.5
            words = spoken(ANSWER, begins)
            store.gate.clear()
            await s.hear(TurnEnded(ANSWER, words, begins, end))
            await microphone(s, 2.0)
            assert acknowledged(s) <= begins
            store.gate.set()
            await s.until(CandidateTurn)
            await microphone(s, 2.0)
            assert acknowledged(s) >= end

    run(main())


def test_what_was_not_acknowledged_is_all_that_another_orchestrator_needs() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            await microphone(first, 3.0)
            # What is stored is older than what is acknowledged now.
            first.conversation.send(m.SetPatience(Patience.PATIENT))
            await microphone(first, 5.0)
            begins = first.conversation.ears.intake.received
            answer = speech(4.0)
            for place in range(0, len(answer), CHUNK_BYTES):
                await asyncio.sleep(CHUNK_SECONDS)
                first.seat.hear(answer[place : place + CHUNK_BYTES], None, "chunk")
                if place == 10 * CHUNK_BYTES:
                    await first.hear(SpeechBegan(begins), PartialHeard("I look", ""))
            taken = acknowledged(first)
            left = await died(first)
        assert left[1].heard_until <= taken <= begins
        async with stage(follow_ups=0, restored=left, away=11.0) as second:
            second.join(last_seq=0)
            sent = bytes(2 * round((begins - taken) * RATE)) + answer
            for place in range(0, len(sent), CHUNK_BYTES):
                offset = taken + place / 2 / RATE
                second.seat.hear(sent[place : place + CHUNK_BYTES], offset, "chunk")
            stream = await second.stream()
            got = b""
            gap = min(5.0, taken - left[1].heard_until)
            while len(got) < 2 * round(gap * RATE) + len(sent):
                got += await stream.sent.get()
            again = np.frombuffer(got[-len(answer) :], dtype="<i2").astype(int)
            assert np.abs(again - np.frombuffer(answer, dtype="<i2")).max() <= 1
            await asyncio.sleep(1.0)
            # It lies on the clock where it was spoken.
            assert second.conversation.ears.ahead <= 0.1

    run(main())


class DiesStoring(MemoryStore):
    """Takes an answer; that it did is never told, and it takes nothing more."""

    dead = False

    async def commit(self, lease: Lease, interview: Interview, *written: Any, **named: Any) -> None:
        if not self.dead:
            await super().commit(lease, interview, *written, **named)
            self.dead = any(turn.text == ANSWER for turn in interview.turns)
        if self.dead:
            await asyncio.Event().wait()


def test_an_answer_that_was_stored_is_not_heard_again_although_its_end_was_not_told() -> None:
    async def main() -> None:
        async with stage(follow_ups=0, store=DiesStoring(10)) as first:
            first.join()
            await first.to_first_question()
            await microphone(first, 3.0)
            begins = first.conversation.ears.intake.received
            answer = speech(4.5)
            words = spoken(ANSWER, begins)
            end = words[-1].end
            for place in range(0, len(answer), CHUNK_BYTES):
                await asyncio.sleep(CHUNK_SECONDS)
                first.seat.hear(answer[place : place + CHUNK_BYTES], None, "chunk")
                if place == 10 * CHUNK_BYTES:
                    await first.hear(SpeechBegan(begins), PartialHeard("I look", ""))
            await first.hear(TurnEnded(ANSWER, words, begins, end))
            await asyncio.sleep(1.0)
            taken = acknowledged(first)
            left = await died(first)
        assert taken < begins
        assert [t.text for t in left[0].turns if t.speaker is Speaker.CANDIDATE] == [ANSWER]
        async with stage(follow_ups=0, restored=left, away=2.0) as second:
            second.join(last_seq=0)
            sent = bytes(2 * round((begins - taken) * RATE)) + answer
            for place in range(0, len(sent), CHUNK_BYTES):
                offset = taken + place / 2 / RATE
                second.seat.hear(sent[place : place + CHUNK_BYTES], offset, "chunk")
            await asyncio.sleep(1.0)
            again = sum(map(len, drained((await second.stream()).sent))) / 2 / RATE
            # The end of what was said is given in steps of the recogniser's.
            assert again <= begins + 4.5 - end + 0.01

    run(main())


def drained(queue: asyncio.Queue[bytes]) -> list[bytes]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_a_stored_answer_is_acknowledged_although_its_speaker_goes_on_at_once() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(follow_ups=0, store=store) as s:
            s.join()
            await s.to_first_question()
            await microphone(s, 3.0)
            begins = s.conversation.ears.intake.received
            words = spoken(ANSWER, begins)
            end = words[-1].end
            await s.hear(SpeechBegan(begins), PartialHeard("I look", ""))
            await microphone(s, end - begins + 0.8, level=3000)
            store.gate.clear()
            goes_on = end + 0.8
            await s.hear(
                TurnEnded(ANSWER, words, begins, end),
                SpeechBegan(goes_on),
                PartialHeard("and also", ""),
            )
            await microphone(s, 0.5, level=3000)
            assert acknowledged(s) <= begins
            store.gate.set()
            await microphone(s, 3.0, level=3000)
            assert end - 0.01 <= acknowledged(s) <= goes_on
            left = await died(s)
        assert end - 0.01 <= left[1].heard_until <= goes_on

    run(main())


def test_a_turn_that_is_held_is_acknowledged_when_it_is_stored() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            first.seat.send(m.Hold(30.0))
            await first.until(TurnHeld)
            first.now = first.conversation.chronicle.clock.now()
            words = spoken(ANSWER, first.now)
            await first.hear(
                TurnEnded(ANSWER, words, first.now, first.now + 4.0),
            )
            await asyncio.sleep(0.1)
            left = await died(first)
        assert left[1].place.answer.held is not None
        assert left[1].place.answer.held.text == ANSWER

    run(main())


def test_an_end_that_was_told_may_be_told_again_under_its_id() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.play_out(Phase.OPENING)
            ended = await first.play_out(Phase.QUESTION)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            second.join()
            again = await second.until(UtteranceEnded)
            assert again == ended

    run(main())
