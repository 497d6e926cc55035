"""Silences and hesitations that a recording tells and its transcript does not."""

from __future__ import annotations

import asyncio

import numpy as np
import numpy.typing as npt
import pytest

from services.interview.interviewer.summarising import Reviewer
from services.interview.record import Speaker, SpokenWord, Turn
from services.interview.reports.delivery import measure
from services.interview.reports.sound import Sound, hesitations, pauses_in
from tests.interview.stage import FakeEmbedder, question

RATE = 16_000
Samples = npt.NDArray[np.float32]


def silence(seconds: float) -> Samples:
    noise = np.random.default_rng(1).normal(0, 0.0005, int(RATE * seconds))
    return noise.astype(np.float32)


def vowel(seconds: float, pitch: float = 120.0) -> Samples:
    """A steady voice: harmonics of one pitch under one spectral envelope."""
    time = np.arange(int(RATE * seconds)) / RATE
    parts = [np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 20)]
    made: Samples = (0.1 * np.sum(parts, axis=0)).astype(np.float32)
    return made


def word(seconds: float) -> Samples:
    """A voice whose pitch and spectrum move, as in speech."""
    time = np.arange(int(RATE * seconds)) / RATE
    pitch = np.cumsum(110 + 60 * np.sin(2 * np.pi * 5 * time)) / RATE
    tilt = 1 + 9 * (np.sin(2 * np.pi * 8 * time) > 0)
    parts = [np.sin(2 * np.pi * n * pitch) / n ** (0.3 * tilt) for n in range(1, 20)]
    made: Samples = (0.05 * np.sum(parts, axis=0)).astype(np.float32)
    return made


def recording(*parts: Samples, start: float = 10.0) -> Sound:
    return Sound(np.concatenate(parts), RATE, start)


WORDS = (
    SpokenWord("We", 10.0, 10.5),
    SpokenWord("use", 12.0, 12.5),
)
"""Half a second each, a second and a half between them."""


def test_a_steady_voice_between_words_is_a_hesitation() -> None:
    sound = recording(word(0.5), silence(0.4), vowel(0.5), silence(0.6), word(0.5))
    ((start, end),) = hesitations(sound, WORDS)
    assert start == pytest.approx(10.9, abs=0.08)
    assert end == pytest.approx(11.4, abs=0.08)


def test_silence_noise_and_a_click_are_none() -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, int(RATE * 0.5)).astype(np.float32)
    for middle in (silence(0.5), noise, vowel(0.08), word(0.5)):
        rest = silence(1.5 - len(middle) / RATE - 0.4)
        sound = recording(word(0.5), silence(0.4), middle, rest, word(0.5))
        assert not hesitations(sound, WORDS)


def test_a_pause_is_measured_where_it_sounds() -> None:
    # The recogniser stretched the first word over the silence.
    words = (SpokenWord("We", 10.0, 12.3), SpokenWord("use", 12.4, 12.9))
    sound = recording(word(0.4), silence(2.0), word(0.5))
    ((start, end),) = pauses_in(sound, words, 1.5)
    assert start == pytest.approx(10.4, abs=0.05)
    assert end == pytest.approx(12.4, abs=0.05)


def test_delivery_counts_what_was_heard() -> None:
    times = [0.0, 0.5, 1.0, 1.5, 2.0, 4.0]
    words = tuple(SpokenWord(f"w{n}", 10 + t, 10.5 + t) for n, t in enumerate(times))
    speech = [word(0.5) for _ in range(5)]
    sound = recording(*speech, silence(0.3), vowel(0.4), silence(0.8), word(0.5))
    by_text = measure([words])
    by_sound = measure([words], [sound])
    assert by_text is not None
    assert by_sound is not None
    assert not by_text.fillers
    assert not by_text.from_sound
    assert [filler.text for filler in by_sound.fillers] == ["(um)"]
    assert by_sound.from_sound
    assert by_sound.fluency < by_text.fluency


def test_chinese_is_measured_in_characters() -> None:
    words = tuple(
        SpokenWord(c, n * 0.25, n * 0.25 + 0.25) for n, c in enumerate("我们用缓存提高速度")
    )
    delivery = measure([words])
    assert delivery is not None
    assert delivery.words_per_minute == pytest.approx(240)
    assert delivery.fluency == 100


def test_samples_of_16_bits_are_read() -> None:
    sound = Sound.of(np.array([0, 16384, -32768], dtype="<i2").tobytes(), RATE, 0.0)
    assert sound.samples.tolist() == [0.0, 0.5, -1.0]
    assert not hesitations(Sound.of(b"", RATE, 0.0), WORDS)


async def test_a_review_listens_to_the_recording_where_there_is_one() -> None:
    words = tuple(SpokenWord(f"w{n}", 10 + n / 2, 10.4 + n / 2) for n in range(8))
    turn = Turn("t", Speaker.CANDIDATE, "We watch slow queries.", 10.0, 14.0, words, round=1)
    asked: list[tuple[float, float]] = []

    async def listen(start: float, end: float) -> Sound | None:
        asked.append((start, end))
        return recording(word(4.0))

    async def gone(start: float, end: float) -> Sound | None:
        raise OSError("no such recording")

    for ears, measured in ((listen, True), (gone, False)):
        reviewer = Reviewer(FakeEmbedder(), listen=ears)
        async with asyncio.TaskGroup() as tasks:
            reviewer.begin(tasks, 1, question(1), [turn])
        result = await reviewer._rounds[1]
        assert result is not None
        assert result.delivery is not None
        assert result.delivery.from_sound is measured
    assert asked == [(10.0, 14.0)]
