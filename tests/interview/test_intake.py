"""The candidate's audio goes on through every join: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from services.interview.events import AudioFormat, AudioReceived, Encoding
from services.interview.record import Phase
from services.runtime.audio.g711 import alaw_from_float, mulaw_from_float
from services.runtime.audio.pcm import float_from_s16le, s16le_from_float
from services.runtime.errors import InvalidField
from tests.interview.stage import PATIENCE, FakeStream, Stage, stage
from tests.runtime.virtual_time import run

RATE = 16_000
CHUNK = RATE // 50
CYCLE = 30_000


def ramp(first: int, count: int) -> bytes:
    """Samples that tell their place."""
    return (np.arange(first, first + count) % CYCLE).astype("<i2").tobytes()


def is_ramp(samples: np.ndarray[Any, np.dtype[np.int16]], first: int) -> bool:
    """Whether they are those of a place; each may be one off, having been a float."""
    expected = np.arange(first, first + len(samples)) % CYCLE
    return bool((np.abs(samples - expected) <= 1).all())


async def heard(stream: FakeStream, samples: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    got = b""
    async with asyncio.timeout(PATIENCE):
        while len(got) < 2 * samples:
            got += await stream.sent.get()
    return np.frombuffer(got, dtype="<i2")


def say(s: Stage, first: int, count: int, *, offset: bool = True) -> None:
    for place in range(first, first + count, CHUNK):
        audio = ramp(place, min(CHUNK, first + count - place))
        s.seat.hear(audio, place / RATE if offset else None, "chunk")


async def opened(s: Stage) -> FakeStream:
    """The stream that the audio itself has opened."""
    async with asyncio.timeout(PATIENCE):
        return await s.recogniser.opened.get()


async def ready(s: Stage) -> None:
    s.join()
    await s.started(Phase.OPENING)


async def test_a_cut_in_mid_answer_neither_loses_nor_repeats_a_sample() -> None:
    async with stage() as s:
        await ready(s)
        say(s, 0, 20_000)
        # The connection breaks; the client goes on before that, in other pieces.
        s.join(last_seq=s.seen[-1].seq)
        say(s, 15_900, 20_000)
        got = await heard(await opened(s), 35_900)
        assert is_ramp(got, 0)


async def test_another_rate_after_the_cut_loses_nothing_either() -> None:
    async with stage() as s:
        seconds, tone = 2.0, 440.0
        await ready(s)
        s.seat = s.attendance.join(AudioFormat(Encoding.PCM_S16LE, 48_000), None, None)
        for rate, begin, end in ((48_000, 0.0, 1.0), (24_000, 0.9, seconds)):
            s.seat = s.attendance.join(AudioFormat(Encoding.PCM_S16LE, rate), None, None)
            times = np.arange(round(begin * rate), round(end * rate)) / rate
            wave = (0.5 * np.sin(2 * np.pi * tone * times)).astype(np.float32)
            s.seat.hear(s16le_from_float(wave), begin, "chunk")
        s.seat = s.attendance.join(None, None, None)
        got = float_from_s16le((await heard(await opened(s), round(seconds * RATE) - 4)).tobytes())
        expected = 0.5 * np.sin(2 * np.pi * tone * np.arange(got.size) / RATE)
        inner = slice(400, -400)
        # A little off where both filters begin and end; a lost millisecond would be 0.5 off.
        assert np.abs(got[inner] - expected[inner]).mean() < 0.01


async def test_a_gap_is_silence() -> None:
    async with stage() as s:
        await ready(s)
        say(s, 1000, CHUNK)
        say(s, 4000, CHUNK)
        got = await heard(await opened(s), 4000 + CHUNK)
        assert not got[:1000].any()
        assert is_ramp(got[1000 : 1000 + CHUNK], 1000)
        assert not got[1000 + CHUNK : 4000].any()
        assert got[4000] == 4000


async def test_chunks_without_offsets_follow_each_other_through_a_join() -> None:
    async with stage() as s:
        await ready(s)
        say(s, 0, 3200, offset=False)
        s.join()
        say(s, 3200, 3200, offset=False)
        got = await heard(await opened(s), 6400)
        assert is_ramp(got, 0)


async def test_an_offset_rounded_to_milliseconds_is_no_gap() -> None:
    async with stage() as s:
        await ready(s)
        for number in range(50):
            place = number * 333
            s.seat.hear(ramp(place, 333), round(place / RATE, 3), "chunk")
        got = await heard(await opened(s), 50 * 333)
        assert is_ramp(got, 0)


async def test_an_offset_in_the_future_is_refused_and_changes_nothing() -> None:
    async with stage() as s:
        await ready(s)
        with pytest.raises(InvalidField) as error:
            s.seat.hear(ramp(0, CHUNK), 3600.0, "candidate.audio.chunk")
        assert error.value.violations[0][0] == "candidate.audio.chunk.offset"
        say(s, 0, CHUNK)
        assert is_ramp(await heard(await opened(s), CHUNK), 0)


def test_silence_is_acknowledged_about_once_a_second_a_little_late() -> None:
    async def main() -> None:
        async with stage() as s:
            await ready(s)
            told = [0.0]
            for _ in range(100):
                await asyncio.sleep(0.1)
                s.seat.hear(bytes(3200), None, "chunk")
                received = s.conversation.ears.intake.received
                acknowledged = s.conversation.ears.intake.told
                if acknowledged not in told:
                    told.append(acknowledged)
                    assert acknowledged <= received - 1.0
            assert len(told) >= 5
            assert np.diff(told)[1:] == pytest.approx([1.0] * (len(told) - 2), abs=0.2)

    run(main())


def test_a_client_that_has_nothing_is_told_all_that_was_received() -> None:
    async def main() -> None:
        async with stage() as s:
            await ready(s)
            say(s, 0, 40_000)
            s.join(last_seq=s.seen[-1].seq)
            await asyncio.sleep(1.0)
            assert s.conversation.ears.intake.told == 0.0
            s.join()
            await s.until(AudioReceived, lambda e: e.offset == pytest.approx(2.5))

    run(main())


def test_what_was_said_in_a_pause_or_skipped_moves_no_acknowledgement_into_what_is_needed() -> None:
    async def main() -> None:
        async with stage() as s:
            await ready(s)
            for _ in range(30):
                await asyncio.sleep(0.1)
                s.seat.hear(bytes(3200), None, "chunk")
            await asyncio.sleep(60.0)
            for place in range(20):
                await asyncio.sleep(0.1)
                s.seat.hear(bytes(3200), 60.0 + place / 10, "chunk")
            # Loud, and nobody has said what it is.
            begins = s.conversation.ears.intake.received
            for place in range(0, 40_000, 1600):
                await asyncio.sleep(0.1)
                s.seat.hear(ramp(place + 5000, 1600), None, "chunk")
            assert begins - 2.0 <= s.conversation.ears.intake.told <= begins

    run(main())


async def test_audio_right_behind_a_join_is_heard() -> None:
    """Also while the interview, paused since the client vanished, is only about to go on."""
    async with stage(absence_seconds=0.01) as s:
        await ready(s)
        say(s, 0, 320)
        stream = await opened(s)
        await heard(stream, 320)
        s.attendance.leave(s.seat)
        async with asyncio.timeout(PATIENCE):
            while s.conversation.chronicle.interview.state.name != "PAUSED":
                await s.next()
        s.join()
        say(s, 320, 3200)
        assert is_ramp(await heard(stream, 3200), 320)


@pytest.mark.parametrize(
    ("encoding", "encode"), [(Encoding.MULAW, mulaw_from_float), (Encoding.ALAW, alaw_from_float)]
)
async def test_telephone_samples_are_heard(encoding: Encoding, encode: Any) -> None:
    async with stage() as s:
        await ready(s)
        s.seat = s.attendance.join(AudioFormat(encoding, 8_000), None, None)
        wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)).astype(np.float32)
        s.seat.hear(encode(wave), None, "chunk")
        s.seat = s.attendance.join(None, None, None)
        got = float_from_s16le((await heard(await opened(s), 15_900)).tobytes())
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(got.size) / RATE)
        assert np.abs(got - expected)[400:-400].max() < 0.05
