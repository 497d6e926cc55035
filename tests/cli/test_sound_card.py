"""Recordings as a microphone, and a loudspeaker that knows what was heard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.cli.sound_card import (
    CHUNK_SECONDS,
    RATE_HZ,
    Answer,
    BadRecording,
    Loudspeaker,
    Microphone,
    read_answer,
)


def tone(seconds: float, rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def test_a_recording_is_brought_to_one_rate_and_its_speech_end_found(tmp_path: Path) -> None:
    sound = np.concatenate([tone(0.5, 44_100), np.zeros(22_050, np.float32)])
    soundfile.write(tmp_path / "answer.flac", np.stack([sound, sound], axis=1), 44_100)
    answer = read_answer(tmp_path / "answer.flac")
    assert answer.samples.size == pytest.approx(RATE_HZ, abs=2)
    assert answer.speech_end == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no audio at all" * 100])
def test_what_is_no_audio_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(BadRecording, match=r"broken\.wav"):
        read_answer(path)


def test_silence_and_missing_files_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    for name in ("silent.wav", "empty.wav", "missing.wav"):
        with pytest.raises(BadRecording, match=name):
            read_answer(tmp_path / name)


async def test_the_microphone_goes_on_in_silence_around_an_answer() -> None:
    microphone = Microphone()
    answer = Answer("a", np.full(round(0.05 * RATE_HZ), 0.5, np.float32), 0.05)
    ended = microphone.say(answer)
    sent = b""
    async for chunk in microphone.chunks():
        sent += chunk
        if len(microphone.recorded) == 6:
            break
    samples = np.frombuffer(sent, "<i2")
    assert samples.size == 6 * round(CHUNK_SECONDS * RATE_HZ)
    assert np.count_nonzero(samples) == answer.samples.size
    assert await ended == pytest.approx(microphone.started + 0.05)


async def test_the_loudspeaker_plays_in_real_time_and_no_more_than_it_has() -> None:
    clock = Clock()
    loudspeaker = Loudspeaker(clock)
    loudspeaker.begin("one", 1000)
    loudspeaker.add("one", bytes(2 * 500))
    clock.now = 0.2
    playing = loudspeaker.tick()
    assert playing is not None
    heard = [playing.heard]
    loudspeaker.pause()
    clock.now = 1.0
    loudspeaker.resume()
    heard.append(playing.heard)
    clock.now = 5.0
    loudspeaker.tick()
    heard.append(playing.heard)
    loudspeaker.add("another", bytes(2))
    loudspeaker.stop()
    assert heard == pytest.approx([0.2, 0.2, 0.5])
    assert loudspeaker.tick() is None


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = np.full(1600, np.nan, np.float32)
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    with pytest.raises(BadRecording, match="no numbers"):
        read_answer(tmp_path / "nan.wav")


def test_a_recording_under_a_wrong_name_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "really_flac.wav"
    soundfile.write(path, tone(0.5, 16_000), 16_000, format="FLAC")
    assert read_answer(path).speech_end == pytest.approx(0.5, abs=0.02)
