"""Whether a pause sounds like the end of a turn."""

from __future__ import annotations

import numpy as np
import pytest

from services.asr.turn_completion import TurnCompletion, load_turn_completion
from tests.asr.audio import read_wav, silence
from tests.recordings import librivox


@pytest.fixture(scope="module")
def judge() -> TurnCompletion:
    loaded = load_turn_completion()
    assert loaded is not None
    return loaded


@pytest.mark.slow
def test_a_whole_sentence_sounds_more_complete_than_half_of_it(judge: TurnCompletion) -> None:
    for recording in librivox():
        samples = read_wav(recording.path)
        whole = judge.probability(np.concatenate([samples, silence(0.2)]))
        half = judge.probability(np.concatenate([samples[: len(samples) // 2], silence(0.2)]))
        assert 0 <= half < whole <= 1


def test_only_the_last_eight_seconds_count(judge: TurnCompletion) -> None:
    samples = np.concatenate([read_wav(r.path) for r in librivox()[:3]])
    assert len(samples) > 10 * 16_000
    assert judge.probability(samples) == judge.probability(samples[-8 * 16_000 :])


@pytest.mark.parametrize("seconds", [0.0, 0.1, 30.0])
def test_silence_of_any_length_is_judged_too(judge: TurnCompletion, seconds: float) -> None:
    assert 0 <= judge.probability(silence(seconds)) <= 1
