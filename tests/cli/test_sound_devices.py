"""The machine's sound devices, by a device that plays into nothing and records silence."""

from __future__ import annotations

import asyncio

import miniaudio
import pytest

from services.cli.sound_card import NoSoundDevice, Played
from services.cli.sound_devices import (
    CHUNK_MS,
    PLAYBACK_HZ,
    DeviceLoudspeaker,
    DeviceMicrophone,
)

NOWHERE = [miniaudio.Backend.NULL]


async def until_heard(loudspeaker: DeviceLoudspeaker, seconds: float) -> Played:
    """Waits for the device's thread, which sends no event."""
    async with asyncio.timeout(10):
        while (playing := loudspeaker.tick()) is None or playing.heard < seconds:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return playing


async def test_the_microphone_yields_what_is_recorded_in_chunks() -> None:
    microphone = DeviceMicrophone(NOWHERE)
    chunks = microphone.chunks()
    async with asyncio.timeout(10):
        for _ in range(3):
            chunk = await anext(chunks)
            assert len(chunk) == 2 * 16 * CHUNK_MS
    await chunks.aclose()
    assert len(microphone.recorded) == 3


async def test_the_loudspeaker_knows_how_much_was_heard() -> None:
    with DeviceLoudspeaker(NOWHERE) as loudspeaker:
        assert loudspeaker.tick() is None
        loudspeaker.begin("one", PLAYBACK_HZ)
        loudspeaker.add("one", bytes(2 * PLAYBACK_HZ // 4))
        playing = await until_heard(loudspeaker, 0.25)
        assert playing.heard == playing.seconds == 0.25


async def test_what_was_stopped_or_belongs_to_another_utterance_is_not_played() -> None:
    with DeviceLoudspeaker(NOWHERE) as loudspeaker:
        loudspeaker.begin("one", PLAYBACK_HZ)
        loudspeaker.add("one", bytes(2 * PLAYBACK_HZ * 60))
        await until_heard(loudspeaker, 0.05)
        loudspeaker.stop()
        heard = loudspeaker.played[0].heard
        loudspeaker.add("one", bytes(100))
        assert loudspeaker.tick() is None
        loudspeaker.begin("two", PLAYBACK_HZ)
        loudspeaker.add("one", bytes(100))
        loudspeaker.add("two", bytes(2 * PLAYBACK_HZ // 10))
        await until_heard(loudspeaker, 0.1)
        assert loudspeaker.played[0].heard == heard < 60


async def test_a_paused_loudspeaker_plays_on_where_it_stopped() -> None:
    with DeviceLoudspeaker(NOWHERE) as loudspeaker:
        loudspeaker.begin("one", PLAYBACK_HZ)
        loudspeaker.pause()
        loudspeaker.add("one", bytes(2 * PLAYBACK_HZ // 10))
        playing = loudspeaker.tick()
        assert playing is not None
        assert playing.heard == 0
        loudspeaker.resume()
        await until_heard(loudspeaker, 0.1)


async def test_a_machine_without_sound_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # A sound system that answers nobody, whatever this machine has.
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    with pytest.raises(NoSoundDevice, match="no microphone can be opened"):
        DeviceMicrophone([miniaudio.Backend.PULSEAUDIO])
    with pytest.raises(NoSoundDevice, match="no loudspeaker can be opened"):
        DeviceLoudspeaker([miniaudio.Backend.PULSEAUDIO])
