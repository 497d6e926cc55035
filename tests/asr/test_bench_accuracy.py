"""`viva bench asr` against a real server: each recording streamed and whole, and what differs."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from services.asr.server import build
from services.asr.settings import AsrSettings
from services.cli.bench import asr
from services.cli.bench.asr_accuracy import Comparison, figures, wrong_words
from services.runtime.server import serving
from tests.asr.audio import read_wav
from tests.recordings import Recording

CLEAN = Comparison("one", "clean", words=50, streamed=3, whole=2)
NOISY = Comparison("one", "noise 10 dB", words=50, streamed=10, whole=6)


def test_a_recording_is_told_with_both_error_rates_and_their_difference() -> None:
    told = "one, clean: streamed 6.0 %, whole 4.0 %, difference +2.0 points of 50 words"
    assert str(CLEAN) == told


def test_conditions_are_summed_up_each_and_together() -> None:
    found = {figure.name: figure for figure in figures([CLEAN, NOISY])}
    assert found["clean: streamed less whole"].value == pytest.approx(2)
    assert found["noise 10 dB: streamed less whole"].value == pytest.approx(8)
    assert found["all conditions: streamed less whole"].value == pytest.approx(5)
    assert found["recordings that streaming makes worse"].value == 1


def test_a_single_word_more_counts_where_it_is_more_than_two_points() -> None:
    assert not CLEAN.worse
    assert Comparison("short", "clean", words=10, streamed=1, whole=0).worse


@pytest.mark.parametrize("text", ["Five, five. 8 of spades", "5 5 8 of spades", "558 of spades"])
def test_digits_count_alike_however_they_are_written(text: str) -> None:
    assert wrong_words("five five eight of spades", text) == (5, 0)


@pytest.mark.slow
async def test_the_benchmark_measures_a_server(
    card_recordings: list[Recording], tmp_path: Path
) -> None:
    chosen = min(card_recordings, key=lambda recording: len(read_wav(recording.path)))
    shutil.copy(chosen.path, tmp_path / "card.wav")
    await asyncio.to_thread((tmp_path / "card.txt").write_text, chosen.transcript)
    settings = AsrSettings(port=0, lame_duck_seconds=0, drain_seconds=5)
    async with serving(settings, "asr", lambda: build(settings)) as server:
        result = await asr.run(
            f"127.0.0.1:{server.port}",
            repeats=1,
            noise_minutes=0.05,
            folder=tmp_path,
            conditions=("clean", "8 kHz"),
            at_once=2,
        )
    found = {figure.name: figure.value for figure in result.figures}
    assert found["text on 0.05 min of white noise"] == 0
    assert found["word error rate, clean: streamed"] < 50
    assert {"all conditions: streamed less whole", "streamed less offline"} <= found.keys()
    assert {note.partition(":")[0] for note in result.notes[1:]} == {"card, clean", "card, 8 kHz"}
