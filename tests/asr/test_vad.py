"""Voice activity on real speech, silence and noise."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.asr.vad import FRAME, SileroVad
from tests.asr.audio import read_wav
from tests.recordings import librivox


def test_speech_is_heard_and_silence_is_not(vad: SileroVad) -> None:
    speech = read_wav(librivox()[0].path)
    assert np.mean(vad.stream().feed(speech) > 0.5) > 0.7
    assert np.max(vad.stream().feed(np.zeros(160_000, dtype=np.float32))) < 0.35


def test_noise_is_not_speech(vad: SileroVad) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 160_000).astype(np.float32)
    assert np.mean(vad.stream().feed(noise) > 0.5) < 0.01


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20))
def test_pieces_of_any_size_are_heard_like_the_whole(sizes: list[int]) -> None:
    vad = SileroVad()
    speech = read_wav(librivox()[1].path)[: sum(sizes)]
    stream = vad.stream()
    cuts = np.cumsum([0, *sizes])
    pieces = [stream.feed(speech[a:b]) for a, b in itertools.pairwise(cuts)]
    whole = vad.stream().feed(speech)
    assert len(whole) == len(speech) // FRAME
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_streams_do_not_hear_each_other(vad: SileroVad) -> None:
    speech = read_wav(librivox()[0].path)[:32_000]
    noise = np.random.default_rng(2).normal(0, 0.3, 32_000).astype(np.float32)
    one, other = vad.stream(), vad.stream()
    mixed = []
    for start in range(0, 32_000, 1600):
        mixed.append(one.feed(speech[start : start + 1600]))
        other.feed(noise[start : start + 1600])
    np.testing.assert_allclose(np.concatenate(mixed), vad.stream().feed(speech), atol=1e-4)
