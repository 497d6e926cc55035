"""Every join is answered at once: how far the candidate's audio and messages are taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from viva.interview.v1 import conversation_pb2 as cpb
from viva.interview.v1 import interview_pb2, turn_pb2
from viva.interview.v1 import interview_service_pb2 as pb

from services.interview.conversation.coding import decoded, encoded
from services.interview.conversation.events import Finished, SetPatience, Typed
from services.interview.conversation.state import MOST_GAPS, Said
from services.interview.events import AudioReceived, CandidateTurn
from services.interview.metrics import AUDIO_REPEATED
from services.interview.record import Patience, Speaker
from services.interview.refusals import RefusedField
from services.runtime.channel import outgoing
from services.runtime.errors import Aborted
from services.runtime.stats import duration
from tests.interview.calls import Conversation, Listening, Wire, join, refused, typed, until
from tests.interview.stage import PATIENCE, FailingStore, Stage, stage
from tests.interview.test_lifecycle import asked
from tests.interview.test_taking_over import died, microphone, speech
from tests.refusals import fields, reason
from tests.runtime.virtual_time import run

ANN = outgoing(PATIENCE, user="ann")


async def opened(
    wire: Wire, way: str, interview_id: str, token: str | None = None, client: str = "page"
) -> Conversation | Listening:
    request = join(interview_id, typed=True, client=client, resume_token=token)
    if way == "Listen":
        return wire.interviews.Listen(pb.ListenRequest(join=request, client=client), **ANN)
    call: Conversation = wire.interviews.Converse(None, **ANN)
    await call.write(pb.ConverseRequest(join=request))
    return call


async def answer(s: Stage) -> AudioReceived:
    """What the newest join was answered with."""
    told = (await s.next()).event
    assert isinstance(told, AudioReceived)
    return told


@pytest.mark.parametrize("way", ["Converse", "Listen"])
async def test_a_join_is_answered_although_nothing_was_received_and_nothing_happens(
    wire: Wire, way: str
) -> None:
    made = await wire.create(rounds=2, follow_ups=0)
    first = await opened(wire, way, made.id)
    seen = await until(first, asked)
    assert [event.HasField("audio_received") for event in seen].count(True) == 1
    nothing = cpb.AudioReceived(offset=duration(0.0), received=duration(0.0))
    assert seen[0].audio_received == nothing
    assert seen[0].seq == 0
    assert [event.seq for event in seen[1:]] == list(range(1, len(seen)))
    # Behind the newest event, and behind an older one, of which nothing is missed.
    for last in (len(seen) - 1, 3):
        again = await opened(wire, way, made.id, seen[last].resume_token)
        [told] = await until(again, lambda _: True)
        assert told.HasField("audio_received")
        assert (told.seq, told.resume_token) == (last, seen[last].resume_token)
        if last == 3:
            assert await until(again, lambda _: True) == seen[4:5]
        again.cancel()
    # The answer's own token misses nothing either.
    anew = await opened(wire, way, made.id, seen[0].resume_token)
    assert (await until(anew, lambda e: e.seq == 2))[1:] == seen[1:3]
    first.cancel()
    anew.cancel()


async def test_who_has_seen_the_end_is_answered_too(wire: Wire) -> None:
    made = await wire.create(rounds=1)
    call = await opened(wire, "Listen", made.id)
    await until(call, asked)
    end = pb.EndInterviewRequest(interview_id=made.id)
    await wire.interviews.EndInterview(end, **ANN)
    over = await until(
        call, lambda e: e.state_changed.state == interview_pb2.INTERVIEW_STATE_CANCELLED
    )
    again = await opened(wire, "Listen", made.id, over[-1].resume_token)
    assert (await until(again, lambda _: True))[0].HasField("audio_received")


def test_a_join_is_told_how_far_audio_was_taken_whoever_has_said_it() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            assert await answer(s) == AudioReceived(0.0, 0.0)
            await s.to_first_question()
            await microphone(s, 3.0)
            s.join(last_seq=s.seen[-1].seq)
            told = await answer(s)
            assert told.received == pytest.approx(3.0)
            assert 1.0 <= told.offset <= 2.0
            s.join()
            assert (await answer(s)).received == pytest.approx(3.0)

    run(main())


def test_the_next_server_tells_what_was_taken_before() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join()
            await first.to_first_question()
            await microphone(first, 5.0)
            first.seat.send(SetPatience(Patience.PATIENT))
            await microphone(first, 0.1)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            second.join()
            told = await answer(second)
            assert told.offset == told.received == left[1].heard_until > 1.0

    run(main())


def test_audio_that_was_sent_twice_is_counted() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join()
            await s.to_first_question()
            before = AUDIO_REPEATED._value.get()
            s.seat.hear(speech(1.0), 0.0, "chunk")
            s.seat.hear(speech(1.0), 0.4, "chunk")
            assert AUDIO_REPEATED._value.get() - before == pytest.approx(0.6)
            assert s.conversation.ears.intake.received == pytest.approx(1.4)

    run(main())


# Numbered messages.


def numbered(text: str, number: int) -> cpb.CandidateMessage:
    message = typed(text)
    message.number = number
    return message


async def says(call: Conversation, text: str, number: int) -> None:
    await call.write(pb.ConverseRequest(candidate=numbered(text, number)))


async def said(wire: Wire, interview_id: str) -> list[str]:
    turns = await wire.turns(interview_id)
    return [turn.text for turn in turns if turn.speaker == turn_pb2.SPEAKER_CANDIDATE]


def keeps(number: int) -> Callable[[cpb.InterviewEvent], bool]:
    return lambda event: event.audio_received.message == number


async def test_what_is_said_again_under_its_number_is_taken_once(wire: Wire) -> None:
    made = await wire.create(rounds=6, follow_ups=0)
    async with wire.converse(pb.ConverseRequest(join=join(made.id, typed=True))) as call:
        await until(call, asked)
    call = await opened_talk(wire, made.id, "page")
    seen = await until(call, lambda _: True)
    assert not seen[0].audio_received.HasField("message")
    await says(call, "One.", 1)
    await until(call, keeps(1))
    await says(call, "Two.", 2)
    seen = await until(call, keeps(2))
    call.cancel()
    # It may not have arrived: said again, with something new behind it.
    call = await opened_talk(wire, made.id, "page", seen[-1].resume_token)
    assert (await until(call, lambda _: True))[0].audio_received.message == 2
    for number, text in enumerate(("One.", "Two.", "Three."), start=1):
        await says(call, text, number)
    await until(call, keeps(3))
    assert await said(wire, made.id) == ["One.", "Two.", "Three."]
    call.cancel()
    # The numbers are its own.
    call = await opened_talk(wire, made.id, "another page")
    assert not (await until(call, lambda _: True))[0].audio_received.HasField("message")
    await says(call, "Four.", 1)
    await until(call, keeps(1))
    assert await said(wire, made.id) == ["One.", "Two.", "Three.", "Four."]
    call.cancel()


async def opened_talk(
    wire: Wire, interview_id: str, client: str, token: str | None = None
) -> Conversation:
    call = await opened(wire, "Converse", interview_id, token, client)
    assert isinstance(call, grpc.aio.StreamStreamCall)
    return call


async def test_a_number_holds_in_calls_too_and_audio_has_none(wire: Wire) -> None:
    made = await wire.create(rounds=6, follow_ups=0)
    listening = await opened(wire, "Listen", made.id)
    await until(listening, asked)
    for call, text, number in [(1, "One.", 1), (2, "One.", 1), (3, "Two.", 2)]:
        request = pb.SpeakRequest(
            interview_id=made.id, call=call, client="page", messages=[numbered(text, number)]
        )
        await wire.interviews.Speak(request, **ANN)
    await until(listening, keeps(2))
    assert await said(wire, made.id) == ["One.", "Two."]
    heard = cpb.CandidateMessage(
        playback=cpb.PlaybackPosition(utterance_id="one", position=duration(1.0)), number=3
    )
    request = pb.SpeakRequest(interview_id=made.id, call=4, client="page", messages=[heard])
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await wire.interviews.Speak(request, **ANN)
    assert fields(error.value) == ["messages[0].number"]
    listening.cancel()


def test_a_number_is_told_once_it_is_stored_and_taken_once_by_the_next_server_too() -> None:
    async def main() -> None:
        store = FailingStore()
        async with stage(follow_ups=0, store=store) as first:
            first.join(client="page")
            await first.to_first_question()
            store.gate.clear()
            first.seat.say(Typed("My answer."), 5)
            await asyncio.sleep(1.0)
            first.join(client="page", last_seq=first.seen[-1].seq)
            assert (await answer(first)).message is None
            store.gate.set()
            assert (await first.until(AudioReceived)).message == 5
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            second.join(client="page")
            assert (await answer(second)).message == 5
            second.seat.say(Typed("My answer."), 5)
            second.seat.say(Finished(), 6)
            await second.until(AudioReceived, lambda e: e.message == 6)
            turns = second.conversation.chronicle.interview.turns
            assert [t.text for t in turns if t.speaker is Speaker.CANDIDATE] == ["My answer."]

    run(main())


async def test_a_number_that_was_overtaken_is_refused_and_not_answered_as_taken(wire: Wire) -> None:
    made = await wire.create(rounds=6, follow_ups=0)
    listening = await opened(wire, "Listen", made.id)
    await until(listening, asked)

    async def speak(call: int, *messages: cpb.CandidateMessage) -> None:
        request = pb.SpeakRequest(interview_id=made.id, call=call, client="page", messages=messages)
        await wire.interviews.Speak(request, **ANN)

    await speak(2, numbered("Two.", 2))
    await until(listening, keeps(2))
    with pytest.raises(grpc.aio.AioRpcError) as overtaken:
        await speak(1, numbered("One.", 1))
    assert fields(overtaken.value) == ["messages[0].number"]
    assert reason(overtaken.value) == "NUMBER_PASSED"
    # All or nothing, and also within one call.
    with pytest.raises(grpc.aio.AioRpcError) as crossed:
        await speak(3, numbered("Four.", 4), numbered("Four.", 4), numbered("Three.", 3))
    assert fields(crossed.value) == ["messages[2].number"]
    # What was taken may come again; what was refused comes under the next number.
    await speak(4, numbered("Two.", 2), numbered("One.", 3))
    await until(listening, keeps(3))
    assert await said(wire, made.id) == ["Two.", "One."]
    listening.cancel()


async def test_a_conversation_ends_with_a_number_that_was_passed(wire: Wire) -> None:
    made = await wire.create(rounds=6, follow_ups=0)
    async with wire.converse(pb.ConverseRequest(join=join(made.id, typed=True))) as call:
        await until(call, asked)
    call = await opened_talk(wire, made.id, "page")
    await says(call, "Seven.", 7)
    await says(call, "Three.", 3)
    error = await refused(call)
    assert fields(error) == ["candidate.number"]
    assert await said(wire, made.id) == ["Seven."]


def test_the_next_server_knows_which_numbers_were_passed() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as first:
            first.join(client="page")
            await first.to_first_question()
            first.seat.say(SetPatience(Patience.PATIENT), 2)
            first.seat.say(SetPatience(Patience.PATIENT), 5)
            await first.until(AudioReceived, lambda e: e.message == 5)
            left = await died(first)
        async with stage(follow_ups=0, restored=left) as second:
            second.join(client="page")
            for taken in (2, 5):
                assert not second.seat.is_new(taken, "candidate")
            for passed in (1, 3, 4):
                with pytest.raises(RefusedField):
                    second.seat.say(Finished(), passed)
            assert second.seat.is_new(6, "candidate")

    run(main())


@given(st.sets(st.integers(1, 400), max_size=200))
def test_no_number_that_was_passed_is_told_as_taken(numbers: set[int]) -> None:
    said = Said("page")
    for number in sorted(numbers):
        said = said.behind(number)
        assert said.has(number)
    assert len(said.passed) <= MOST_GAPS
    assert not any(said.has(number) for number in range(1, 500) if number not in numbers)
    assert decoded(Said, json.loads(json.dumps(encoded(said)))) == said


def test_what_an_earlier_program_kept_counts_as_taken_up_to_its_number() -> None:
    earlier = decoded(Said, {"=": "Said", "client": "page", "number": 5})
    assert all(earlier.has(number) for number in range(1, 6))


def test_what_a_window_says_that_was_sent_away_is_not_taken() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s:
            s.join(client="older")
            await s.to_first_question()
            older = s.seat
            s.join(client="newer", last_seq=s.seen[-1].seq)
            with pytest.raises(Aborted):
                older.say(Typed("From the older window."), 1)
            s.seat.say(Typed("From the newer one."), 1)
            turn = (await s.until(CandidateTurn)).turn
            assert turn.text == "From the newer one."

    run(main())
