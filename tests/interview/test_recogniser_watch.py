"""An engine that hangs behind a server that lives is found out; slowness is not taken for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest

from services.interview.clients.recogniser_speed import RecogniserSpeed
from services.interview.clients.seams import (
    Answered,
    PartialHeard,
    PauseHeard,
    ProbablyEnded,
    SpeechBegan,
    TurnEnded,
    WentOn,
)
from services.interview.events import CandidateTurn, Remedy, ServiceDegraded
from tests.interview.stage import FakeRecogniser, FakeStream, Stage, stage
from tests.interview.test_degradation import ANSWER, loud, patiently, said, talk
from tests.interview.test_hearing import Listener, listening
from tests.runtime import virtual_time

TOLD_SECONDS = 3.05
"""The promise, and a rounding of the steps in which audio comes."""
QUIET, LOUD = bytes(3200), loud(0.1)


def run(main: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(asyncio.wait_for(main, 3600.0))


async def speaking(listener: Listener) -> FakeStream:
    """Someone is about to speak."""
    await talk(listener, 1.0, QUIET)
    return await listener.stream()


async def mid_turn(listener: Listener, seconds: float = 0.0, text: str = "") -> FakeStream:
    """Someone has spoken for `seconds`, which was noticed at once, and `text` was understood."""
    stream = await speaking(listener)
    stream.heard.put_nowait(SpeechBegan(1.0))
    await talk(listener, seconds, LOUD)
    if text:
        stream.heard.put_nowait(PartialHeard(text, ""))
    return stream


async def pause(listener: Listener, stream: FakeStream, end: float, seconds: float) -> None:
    """Silence, as voice activity tells of it."""
    for step in range(int(seconds / 0.2)):
        stream.heard.put_nowait(PauseHeard(0.2 * (step + 1), end))
        await talk(listener, 0.2, QUIET)


async def failing(listener: Listener) -> tuple[str, float]:
    """Waits for trouble: why, and when."""
    async with asyncio.timeout(60.0):
        failure = await listener.failures.get()
    return failure.reason, asyncio.get_running_loop().time()


def test_an_engine_that_hangs_in_the_first_words_is_told_of_within_three_seconds() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.hangs = True
            first = await mid_turn(listener)
            began = asyncio.get_running_loop().time()
            noticed = asyncio.create_task(failing(listener))
            await talk(listener, 0.8, LOUD)
            await pause(listener, first, 1.8, 3.0)
            reason, at = await noticed
            assert reason == "hangs"
            assert at - began <= TOLD_SECONDS
            # It was tried with what was said, from where it began on.
            assert LOUD * 8 in listener.recogniser.tried[0]

    run(main())


def test_an_engine_that_hangs_in_mid_answer_is_told_of_within_three_seconds() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener)
            for step in range(10):
                await talk(listener, 0.6, LOUD)
                first.heard.put_nowait(PartialHeard("word " * (step + 1), ""))
            await talk(listener, 0.1, LOUD)
            listener.recogniser.hangs = True
            began = asyncio.get_running_loop().time()
            noticed = asyncio.create_task(failing(listener))
            await talk(listener, 4.0, LOUD)
            assert (await noticed)[1] - began <= TOLD_SECONDS

    run(main())


def test_an_engine_that_hangs_at_the_end_is_told_of_within_three_seconds() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener, 0.8, "Yes")
            first.heard.put_nowait(ProbablyEnded("Yes.", (), 1.0, 1.8))
            await pause(listener, first, 1.8, 0.6)
            listener.recogniser.hangs = True
            began = asyncio.get_running_loop().time()
            noticed = asyncio.create_task(failing(listener))
            listener.hearing.finish_turn()
            await pause(listener, first, 1.8, 4.0)
            assert (await noticed)[1] - began <= TOLD_SECONDS

    run(main())


def test_it_is_told_to_work_again_once_it_understands_what_it_failed_at() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.hangs = True
            first = await mid_turn(listener, 0.8)
            await pause(listener, first, 1.8, 12.0)
            assert listener.failures.qsize() == 1
            assert not listener.recovered.is_set()
            listener.recogniser.hangs = False
            await talk(listener, 6.0, QUIET)
            assert listener.recovered.is_set()
            # Silence would have been no trial.
            assert all(LOUD * 8 in audio for audio in listener.recogniser.tried)

    run(main())


@pytest.mark.parametrize("first_text", [1.2, 2.2])
def test_a_slow_machine_is_not_taken_for_one_that_hangs(first_text: float) -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.takes = 1.2
            first = await mid_turn(listener, first_text)
            for step in range(8):
                first.heard.put_nowait(PartialHeard("word " * (step + 1), ""))
                await talk(listener, 3.0, LOUD)
            assert listener.failures.empty()
            assert len(listener.recogniser.streams) == 1

    run(main())


def test_a_machine_whose_finals_took_long_is_given_longer() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.takes = 2.0
            first = await mid_turn(listener)
            first.heard.put_nowait(TurnEnded("Yes.", (), 1.0, 1.4, finalization=1.5))
            await talk(listener, 1.0, QUIET)
            first.heard.put_nowait(SpeechBegan(2.0))
            await talk(listener, 4.0, LOUD)
            assert len(listener.recogniser.tried) == 1
            assert listener.failures.empty()

    run(main())


def test_a_machine_that_says_that_it_has_too_much_to_do_is_given_time() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.busy = True
            await mid_turn(listener, 6.0)
            assert listener.failures.empty()

    run(main())


def test_noise_without_words_is_no_fault_and_costs_little() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.takes = 0.3
            await mid_turn(listener, 30.0)
            assert listener.failures.empty()
            assert len(listener.recogniser.streams) == 1
            assert len(listener.recogniser.tried) <= 7

    run(main())


def test_noise_that_is_not_noticed_as_speech_is_no_fault() -> None:
    async def main() -> None:
        async with listening() as listener:
            await speaking(listener)
            await talk(listener, 30.0, LOUD)
            assert listener.failures.empty()

    run(main())


def test_an_end_that_is_asked_for_before_anything_was_said_is_owed_by_nobody() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.hearing.finish_turn()
            await speaking(listener)
            await talk(listener, 15.0, QUIET)
            assert listener.failures.empty()
            assert len(listener.recogniser.streams) == 1

    run(main())


def test_who_has_too_much_to_do_does_not_work_again() -> None:
    async def main() -> None:
        async with listening() as listener:
            listener.recogniser.hangs = True
            await mid_turn(listener, 4.0)
            assert listener.failures.qsize() == 1
            listener.recogniser.hangs, listener.recogniser.busy = False, True
            await talk(listener, 6.0, QUIET)
            assert not listener.recovered.is_set()
            listener.recogniser.busy = False
            await talk(listener, 4.0, QUIET)
            assert listener.recovered.is_set()

    run(main())


def test_who_thinks_in_silence_is_owed_no_text() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener, 0.8, "Well")
            first.heard.put_nowait(ProbablyEnded("Well,", (), 1.0, 1.8))
            await pause(listener, first, 1.8, 20.0)
            assert listener.recogniser.tried == []
            listener.recogniser.hangs = True
            first.heard.put_nowait(WentOn(21.8))
            await talk(listener, 4.0, LOUD)
            assert listener.failures.get_nowait().reason == "hangs"

    run(main())


def test_a_long_turn_without_a_word_has_the_engine_tried() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener, 1.2)
            listener.recogniser.hangs = True
            first.heard.put_nowait(TurnEnded("", (), 1.0, 2.2))
            await talk(listener, 4.0, QUIET)
            assert listener.failures.get_nowait().reason == "hangs"

    run(main())


def test_a_stream_that_never_ends_a_turn_is_given_up_though_its_server_works() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener, 0.8, "Yes")
            listener.hearing.finish_turn()
            await pause(listener, first, 1.8, 12.0)
            second = await listener.stream()
            assert listener.failures.get_nowait().reason == "ends no turn"
            second.heard.put_nowait(SpeechBegan(0.0))
            second.heard.put_nowait(TurnEnded("Yes.", (), 0.0, 0.8))
            second.heard.put_nowait(Answered())
            await talk(listener, 12.0, QUIET)
            assert len(listener.recogniser.streams) == 2
            assert listener.recovered.is_set()

    run(main())


def test_an_end_that_takes_longer_than_a_stream_is_given_comes_from_the_next() -> None:
    async def main() -> None:
        async with listening() as listener:
            first = await mid_turn(listener, 0.8, "Yes")
            listener.hearing.finish_turn()
            await pause(listener, first, 1.8, 10.0)
            second = await listener.stream()
            assert listener.failures.get_nowait().reason == "ends no turn"
            # A machine that is as slow with the second as with the first.
            second.heard.put_nowait(SpeechBegan(0.0))
            await pause(listener, second, 0.8, 12.0)
            assert len(listener.recogniser.streams) == 2
            second.heard.put_nowait(TurnEnded("Yes.", (), 0.0, 0.8))
            second.heard.put_nowait(Answered())
            await asyncio.wait_for(listener.recovered.wait(), 1.0)
            # Who ends its turns again is given no longer than at first.
            second.heard.put_nowait(SpeechBegan(20.0))
            second.heard.put_nowait(PartialHeard("And", ""))
            listener.hearing.finish_turn()
            await pause(listener, second, 20.8, 10.0)
            assert len(listener.recogniser.streams) == 3

    run(main())


def test_a_recogniser_that_breaks_when_it_is_tried_is_told_of() -> None:
    async def main() -> None:
        async with listening() as listener:
            await mid_turn(listener)
            listener.recogniser.broken = True
            await talk(listener, 2.0, LOUD)
            assert listener.failures.get_nowait().reason == "hangs"

    run(main())


@pytest.mark.parametrize("level", [8000.0, 370.0, 145.0])
@pytest.mark.parametrize("spoken_seconds", [0.4, 0.7, 20.0])
def test_a_short_or_low_answer_that_nothing_notices_has_the_engine_tried(
    level: float, spoken_seconds: float
) -> None:
    """145 is an amplitude of -50 dBFS in root mean square."""

    async def main() -> None:
        async with listening() as listener:
            await speaking(listener)
            listener.recogniser.hangs = True
            began = asyncio.get_running_loop().time()
            noticed = asyncio.create_task(failing(listener))
            answer = tone(level)
            await talk(listener, spoken_seconds, answer)
            await talk(listener, 4.0, QUIET)
            reason, at = await noticed
            assert reason == "hangs"
            assert at - began <= TOLD_SECONDS
            # What was said is heard by the recogniser that comes next.
            listener.recogniser.hangs = False
            await talk(listener, 6.0, QUIET)
            newest = listener.recogniser.streams[-1]
            got = b"".join(newest.sent.get_nowait() for _ in range(newest.sent.qsize()))
            assert got.count(answer) == int(spoken_seconds / 0.1)

    run(main())


def tone(level: float) -> bytes:
    """A tenth of a second."""
    return (level * np.sin(2 * np.pi * 180 * np.arange(1600) / 16_000)).astype("<i2").tobytes()


def test_small_pieces_of_audio_are_as_loud_as_large_ones() -> None:
    async def main() -> None:
        async with listening() as listener:
            await speaking(listener)
            listener.recogniser.hangs = True
            for start in range(0, len(LOUD) * 4, 640):
                listener.hearing.hear((LOUD * 4)[start : start + 640])
                await asyncio.sleep(0.02)
            await talk(listener, 4.0, QUIET)
            assert listener.failures.get_nowait().reason == "hangs"

    run(main())


def test_a_click_is_nothing_to_notice() -> None:
    async def main() -> None:
        async with listening() as listener:
            await speaking(listener)
            for _ in range(20):
                await talk(listener, 0.1, LOUD)
                await talk(listener, 2.0, QUIET)
            assert listener.recogniser.tried == []

    run(main())


def test_noises_that_are_not_noticed_have_the_engine_tried_less_and_less() -> None:
    async def main() -> None:
        async with listening() as listener:
            await speaking(listener)
            for _ in range(30):
                await talk(listener, 0.5, LOUD)
                await talk(listener, 1.5, QUIET)
            assert 3 <= len(listener.recogniser.tried) <= 8
            assert listener.failures.empty()
            assert len(listener.recogniser.streams) == 1

    run(main())


def test_a_machine_of_which_nothing_is_known_is_given_longer_and_the_next_knows_it() -> None:
    async def main() -> None:
        recogniser = FakeRecogniser()
        recogniser.speed = RecogniserSpeed()
        recogniser.takes = 3.8
        async with listening(recogniser) as listener:
            first = await mid_turn(listener, 2.7)
            assert recogniser.tried == []
            first.heard.put_nowait(PartialHeard("word", ""))
            await talk(listener, 8.0, LOUD)
            assert recogniser.tried
            assert listener.failures.empty()
        tried = len(recogniser.tried)
        async with listening(recogniser) as listener:
            await mid_turn(listener, 2.7)
            assert len(recogniser.tried) == tried
            await talk(listener, 6.0, LOUD)
            assert len(recogniser.tried) > tried
            assert listener.failures.empty()

    run(main())


async def microphone(s: Stage) -> None:
    """Sends for ever, as a client does."""
    while True:
        s.conversation.ears.hear(LOUD)
        await asyncio.sleep(0.1)


def test_the_candidate_is_told_to_type_and_to_speak_again() -> None:
    async def main() -> None:
        async with stage(follow_ups=0) as s, asyncio.TaskGroup() as tasks:
            s.join()
            await s.to_first_question()
            sending = tasks.create_task(microphone(s))
            await (await s.stream()).sent.get()
            s.recogniser.hangs = True
            began = asyncio.get_running_loop().time()
            await s.hear(SpeechBegan(0.0))
            told = await patiently(s, ServiceDegraded)
            assert (told.service, told.recovered) == ("asr", False)
            assert told.remedy is Remedy.TYPE_ANSWERS
            assert asyncio.get_running_loop().time() - began <= TOLD_SECONDS
            s.recogniser.hangs = False
            back = await patiently(s, ServiceDegraded)
            assert (back.service, back.recovered) == ("asr", True)
            await said(s, ANSWER, 20.0)
            assert (await patiently(s, CandidateTurn)).turn.text == ANSWER
            sending.cancel()

    run(main())
