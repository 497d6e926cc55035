"""What hangs or falls silent in an interview: somebody always goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.interview.assembly import pace
from services.interview.clients.seams import (
    DependencyFailed,
    PartialHeard,
    SpeechBegan,
    TurnEnded,
    Vectors,
)
from services.interview.conversation import events as m
from services.interview.conversation.playback import Heard
from services.interview.conversation.recogniser_watch import BYTES_PER_SECOND
from services.interview.events import (
    CandidatePartial,
    CandidateTurn,
    InterviewerAudio,
    InterviewerText,
    PlaybackControl,
    ServiceDegraded,
    StateChanged,
    TurnHeld,
    UtteranceEnded,
    UtteranceStarted,
)
from services.interview.record import Phase, State
from services.interview.settings import InterviewServerSettings
from services.interview.store.store import LeaseLost
from tests.interview.stage import FAST, FailingStore, Stage, spoken, stage
from tests.interview.test_hearing import Listener, listening
from tests.runtime import virtual_time

ANSWER = "I watch the slow queries and then I add an index to the table."


def run(main: Coroutine[Any, Any, None]) -> None:
    """In virtual time, of which an hour is more than anything here takes."""
    virtual_time.run(asyncio.wait_for(main, 3600.0))


class SlowStore(FailingStore):
    """A store that takes its time."""

    async def commit(self, *written: Any, **named: Any) -> None:
        await asyncio.sleep(6.0)
        await super().commit(*written, **named)


def test_storing_may_take_as_long_as_settings_say() -> None:
    assert pace(InterviewServerSettings()).commit == FAST.commit

    async def main() -> None:
        patient = pace(InterviewServerSettings(store_seconds=20))
        assert patient.stored > patient.commit > 20
        async with stage(pace=patient, store=SlowStore()) as s:
            s.join()
            await s.until(UtteranceEnded)
            await asyncio.sleep(30.0)
            told = [entry.event for entry in s.conversation.chronicle.journal.after(0)]
            assert not any(isinstance(event, ServiceDegraded) for event in told)

    run(main())


def loud(seconds: float) -> bytes:
    count = int(seconds * BYTES_PER_SECOND / 2)
    wave = 8000 * np.sin(2 * np.pi * 220 * np.arange(count) / 16_000)
    return wave.astype("<i2").tobytes()


async def talk(listener: Listener, seconds: float, audio: bytes) -> None:
    for _ in range(int(seconds / 0.1)):
        listener.hearing.hear(audio)
        await asyncio.sleep(0.1)


async def said(s: Stage, text: str, start: float = 0.0) -> None:
    words = spoken(text, start)
    ended = TurnEnded(text, words, start, words[-1].end)
    await s.hear(SpeechBegan(start), PartialHeard(text, ""), ended)


async def patiently(s: Stage, kind: type[Any], seconds: float = 300.0) -> Any:
    """The next event of a kind, however long it takes."""
    async with asyncio.timeout(seconds):
        async for entry in s._entries:
            s.seen.append(entry)
            if isinstance(entry.event, kind):
                return entry.event
    raise AssertionError("the interview is over")


@pytest.mark.parametrize("in_turn", [True, False])
def test_a_recogniser_that_hangs_is_noticed_and_what_was_said_is_heard_by_the_next(
    in_turn: bool,
) -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.hearing.hear(bytes(3200))
            first = await listener.stream()
            await talk(listener, 2.0, bytes(3200))
            if in_turn:
                first.heard.put_nowait(SpeechBegan(2.0))
            listener.recogniser.hangs = True
            began = asyncio.get_running_loop().time()
            await talk(listener, 3.0, loud(0.1))
            failure = listener.failures.get_nowait()
            assert (failure.service, failure.reason) == ("asr", "hangs")
            assert asyncio.get_running_loop().time() - began <= 3.05
            # It seems to open a stream, and goes on hanging: that is no recovery.
            await talk(listener, 3.0, loud(0.1))
            assert not listener.recovered.is_set()
            listener.recogniser.hangs = False
            await talk(listener, 5.0, bytes(3200))
            assert listener.recovered.is_set()
            newest = listener.recogniser.streams[-1]
            got = b"".join(newest.sent.get_nowait() for _ in range(newest.sent.qsize()))
            assert got.count(loud(0.1)) >= 60

    run(main())


def test_a_recogniser_that_hung_and_lives_again_is_told_to_work_without_another_stream() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.hearing.hear(bytes(3200))
            first = await listener.stream()
            first.heard.put_nowait(SpeechBegan(0.0))
            listener.recogniser.hangs = True
            await talk(listener, 3.0, loud(0.1))
            assert listener.failures.get_nowait().reason == "hangs"
            # The next stream opens on a server that still hangs, and then goes on.
            await talk(listener, 6.0, bytes(3200))
            opened = len(listener.recogniser.streams)
            listener.recogniser.hangs = False
            await talk(listener, 4.0, bytes(3200))
            assert listener.recovered.is_set()
            assert len(listener.recogniser.streams) == opened

    run(main())


def test_silence_and_a_recogniser_that_has_nothing_to_say_are_no_fault() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.hearing.hear(bytes(3200))
            await listener.stream()
            listener.recogniser.hangs = True
            await talk(listener, 20.0, bytes(3200))
            assert listener.failures.empty()

    run(main())


def test_who_is_there_and_busy_is_not_given_up_for_a_noise() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.hearing.hear(bytes(3200))
            await listener.stream()
            await talk(listener, 4.0, loud(0.1))
            assert listener.failures.empty()
            assert len(listener.recogniser.streams) == 1

    run(main())


def test_a_chunk_that_reaches_beyond_a_turn_is_heard_again_only_from_there() -> None:
    async def main() -> None:
        async with listening() as listener:
            understood, following = b"\1\0" * 16_000, b"\2\0" * 8_000
            listener.hearing.hear(understood + following)
            first = await listener.stream()
            await first.sent.get()
            first.heard.put_nowait(SpeechBegan(0.0))
            first.heard.put_nowait(TurnEnded("Yes.", (), 0.0, 1.0))
            await asyncio.sleep(0.1)
            first.heard.put_nowait(DependencyFailed("asr", "UNAVAILABLE"))
            second = await listener.stream()
            assert await second.sent.get() == following

    run(main())


def test_a_silent_candidate_is_asked_again_then_offered_to_skip_then_left_in_peace() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            again = await patiently(s, InterviewerText)
            assert "database number 1" in again.text
            offer = await patiently(s, InterviewerText)
            assert "skip" in offer.text
            changed = await patiently(s, StateChanged)
            assert changed.state is State.PAUSED

    run(main())


def test_who_takes_the_offer_gets_the_next_question() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            await s.to_first_question()
            while "skip" not in (await patiently(s, InterviewerText)).text:
                pass
            await patiently(s, UtteranceEnded)
            await said(s, "Yes, please.")
            assert "database number 2" in (await patiently(s, InterviewerText)).text
            turns = s.conversation.chronicle.interview.turns
            assert [t.round for t in turns if t.text == "Yes, please."] == [0]

    run(main())


def test_who_speaks_is_not_asked_again() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            for second in range(6):
                await asyncio.sleep(8.0)
                await s.hear(SpeechBegan(8.0 * second), PartialHeard("and " * (second + 3), ""))
            assert len([e for e in s.seen if isinstance(e.event, UtteranceStarted)]) == 2

    run(main())


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("Could you repeat that?", "database number 1"),
        ("In other words?", "like to know is this"),
        ("Next question, please.", "database number 2"),
        ("Can we stop?", "end the interview"),
    ],
)
def test_wishes_are_understood_as_what_they_are(wish: str, expected: str) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await said(s, wish)
            assert expected in (await s.until(InterviewerText)).text
            told = s.conversation.chronicle.interview.turns
            assert [(t.round, t.question_id) for t in told if t.text == wish] == [(0, "")]

    run(main())


def test_one_moment_holds_the_turn() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await said(s, "One moment, please.")
            assert (await s.until(TurnHeld)).until is not None
            await asyncio.sleep(10.0)
            await said(s, ANSWER, 12.0)
            await s.until(TurnHeld, lambda e: e.until is None)
            assert (await s.until(CandidateTurn, lambda e: e.turn.round == 1)).turn.text == ANSWER

    run(main())


@pytest.mark.parametrize("reply", ["I'm still here.", "One moment, still thinking."])
def test_an_answer_to_the_reminder_holds_the_turn_and_is_not_scored(reply: str) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await patiently(s, InterviewerText)
            await patiently(s, UtteranceEnded)
            await said(s, reply, 30.0)
            assert (await patiently(s, TurnHeld)).until is not None
            await said(s, ANSWER, 40.0)
            turn = (await patiently(s, CandidateTurn)).turn
            while turn.text != ANSWER:
                assert turn.round == 0
                turn = (await patiently(s, CandidateTurn)).turn
            assert turn.round == 1

    run(main())


def test_speech_that_dies_in_mid_line_is_recorded_as_far_as_it_was_heard_and_shown_again() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            s.synthesiser.dies_after = 2
            await s.answer(ANSWER)
            ended = await patiently(s, UtteranceEnded)
            assert (ended.interrupted, ended.turn.text) == (True, "How did")
            told = [e.event for e in s.seen if isinstance(e.event, ServiceDegraded)]
            assert (told[0].service, told[0].recovered) == ("tts", False)
            assert (await patiently(s, InterviewerText)).text == "How did you choose the index?"

    run(main())


def test_a_line_that_cannot_be_spoken_is_shown_and_the_next_is_spoken() -> None:
    async def main() -> None:
        async with stage() as s:
            s.synthesiser.unspeakable = "database number 1"
            s.join()
            await s.play_out(Phase.OPENING)
            shown = await s.until(InterviewerText, lambda e: "database number 1" in e.text)
            s.synthesiser.unspeakable = ""
            await s.answer(ANSWER)
            heard = await s.until(InterviewerAudio, lambda e: e.utterance_id != shown.utterance_id)
            assert heard.audio
            assert not [e.event for e in s.seen if isinstance(e.event, ServiceDegraded)]

    run(main())


def test_what_counts_as_heard_when_acknowledgements_stop_is_what_was_acknowledged() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.play_out(Phase.OPENING)
            name = await s.started(Phase.QUESTION)
            await s.until(InterviewerAudio, lambda e: e.offset > 2.6)
            s.played(name, 1.25)
            ended = await patiently(s, UtteranceEnded)
            assert ended.turn.text == "Let's begin. How do"
            again = await patiently(s, InterviewerText)
            assert "database number 1" in again.text

    run(main())


def test_a_client_that_is_gone_hears_nothing() -> None:
    async def main() -> None:
        async with stage(absence_seconds=5.0) as s:
            s.join()
            await s.play_out(Phase.OPENING)
            name = await s.started(Phase.QUESTION)
            await s.until(InterviewerAudio, lambda e: e.offset > 2.6)
            s.played(name, 1.25)
            s.attendance.leave(s.seat)
            ended = await patiently(s, UtteranceEnded)
            assert ended.turn.text == "Let's begin. How do"

    run(main())


def test_whatever_hangs_the_watchdog_goes_on() -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            # Words, and then nothing ever again: neither an end nor a failure.
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            turn = await patiently(s, CandidateTurn, 30.0)
            assert turn.turn.text == ANSWER
            await s.play_out(Phase.FOLLOW_UP)

    run(main())


@pytest.mark.parametrize(
    "noise",
    [
        m.Failed("llm", "UNAVAILABLE"),
        m.Worked("llm"),
        m.Played("gone", Heard(1.0, 0.0, finished=True)),
        m.Committed(0),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_says_nothing_of_the_candidate_does_not_keep_the_watchdog_quiet(
    noise: m.Happening,
) -> None:
    async def main() -> None:
        async with stage() as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            await s.until(CandidatePartial)
            for _ in range(60):
                s.conversation.send(noise)
                await asyncio.sleep(1.0)
            assert ANSWER in [turn.text for turn in s.conversation.chronicle.interview.turns]

    run(main())


def test_a_final_text_that_does_not_come_is_not_waited_for() -> None:
    async def main() -> None:
        async with stage(pace=replace(FAST, final=2.0)) as s:
            s.join()
            await s.to_first_question()
            await s.hear(SpeechBegan(0.0), PartialHeard(ANSWER, ""))
            await s.until(CandidatePartial)
            s.seat.send(m.Finished())
            turn = await patiently(s, CandidateTurn, 5.0)
            assert turn.turn.text == ANSWER

    run(main())


def test_a_session_goes_on_in_another_process_where_it_was() -> None:
    async def main() -> None:
        async with stage() as first:
            first.join()
            await first.to_first_question()
            await first.answer(ANSWER)
            await first.play_out(Phase.FOLLOW_UP)
            kept = await first.store.session("interview")
            interview = first.conversation.chronicle.interview
            assert kept is not None
            document = kept[0]
        state = type(first.conversation.state).from_json(document)
        async with stage(restored=(replace(interview, state=State.PAUSED), state)) as second:
            second.join()
            changed = await second.until(StateChanged)
            assert (changed.state, changed.phase) == (State.LIVE, Phase.FOLLOW_UP)
            # Its question was heard: it is not asked again.
            await asyncio.sleep(5.0)
            told = second.conversation.chronicle.journal.after(0)
            assert not [entry for entry in told if isinstance(entry.event, InterviewerText)]
            second.now = 100.0
            await second.answer("We take backups every night and restore one each month.")
            await second.play_out(Phase.QUESTION)

    run(main())


def test_a_lost_lease_ends_the_session_without_a_word() -> None:
    async def main() -> None:
        store = FailingStore()
        with pytest.raises(LeaseLost):
            async with stage(store=store) as s:
                s.join()
                await s.to_first_question()
                last = s.conversation.chronicle.journal.last_seq
                store.lost = True
                s.seat.send(m.Typed(ANSWER))
                await asyncio.sleep(10.0)
                assert s.conversation.state.finished
                later = [e.event for e in s.conversation.chronicle.journal.after(last)]
                assert not [e for e in later if not isinstance(e, PlaybackControl)]

    run(main())


def test_a_report_that_cannot_be_written_in_time_keeps_no_call_open() -> None:
    async def main() -> None:
        pace = replace(FAST, review=8.0)
        async with stage(rounds=2, follow_ups=0, pace=pace) as s:

            async def hangs(texts: Sequence[str], *, query: bool, background: bool) -> Vectors:
                if background:
                    await asyncio.Event().wait()
                return await embed(texts, query=query, background=background)

            embed = s.embedder.embed
            s.embedder.embed = hangs  # type: ignore[method-assign]
            s.join()
            await s.to_first_question()
            s.seat.send(m.Typed("I watch slow queries and add the right index."))
            await s.play_out(Phase.QUESTION)
            s.seat.send(m.Typed("I take backups and restore them as a test."))
            await s.play_out(Phase.CLOSING)
            async with asyncio.timeout(60.0):
                async for entry in s._entries:
                    s.seen.append(entry)
            states = [e.event.state for e in s.seen if isinstance(e.event, StateChanged)]
            assert states[-1] is State.FAILED

    run(main())
