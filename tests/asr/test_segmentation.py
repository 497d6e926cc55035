"""Where recordings are cut."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.asr.engines.engine import MAX_WINDOW_SECONDS, SAMPLE_RATE
from services.asr.margins import PRE_ROLL
from services.asr.segmentation import Segmenter, Stretch
from services.asr.vad import FRAME

Run = tuple[bool, int]
"""Speech or silence, and how many frames of it."""


def cut(runs: list[Run], block: int = 310) -> list[Stretch]:
    """The stretches of a recording whose sample n has the value n, read in blocks of frames."""
    chances = [0.9 if speech else 0.1 for speech, frames in runs for _ in range(frames)]
    probabilities = np.array(chances, dtype=np.float32)
    samples = np.arange(len(probabilities) * FRAME, dtype=np.float32)
    segmenter = Segmenter()
    found: list[Stretch] = []
    for start in range(0, len(probabilities), block):
        piece = samples[start * FRAME : (start + block) * FRAME]
        found += segmenter.feed(piece, probabilities[start : start + block])
    return found + list(segmenter.finish())


recordings = st.lists(st.tuples(st.booleans(), st.integers(1, 900)), max_size=8)


@settings(deadline=None, max_examples=100)
@given(recordings, st.sampled_from([7, 310, 2000]))
def test_stretches_are_in_order_fit_a_window_and_hold_their_own_audio(
    runs: list[Run], block: int
) -> None:
    stretches = cut(runs, block)
    for stretch in stretches:
        assert stretch.start < stretch.end
        assert stretch.offset <= stretch.start
        assert stretch.end <= stretch.offset + len(stretch.samples)
        assert len(stretch.samples) <= MAX_WINDOW_SECONDS * SAMPLE_RATE
        # Before the first sample there was quiet.
        assert stretch.samples[0] == max(0, stretch.offset)
        assert stretch.samples[-1] == stretch.offset + len(stretch.samples) - 1
    for one, other in itertools.pairwise(stretches):
        assert one.end <= other.start


@settings(deadline=None, max_examples=100)
@given(recordings)
def test_all_speech_is_in_a_stretch(runs: list[Run]) -> None:
    heard = [(s.start // FRAME, s.end // FRAME) for s in cut(runs)]
    position = 0
    for speech, group in itertools.groupby(runs, key=lambda run: run[0]):
        frames = sum(count for _, count in group)
        if speech and frames >= 3:
            inside = sum(
                max(0, min(end, position + frames) - max(start, position)) for start, end in heard
            )
            assert inside == frames
        position += frames


def test_speech_without_a_pause_is_cut_at_its_quietest_moment() -> None:
    runs = [(True, 750), (False, 5), (True, 600)]
    first, second = cut(runs)
    assert 750 * FRAME <= first.end <= 755 * FRAME
    assert second.start == first.end


def test_speech_at_the_very_beginning_has_as_much_before_it_as_any_other() -> None:
    [first, other] = cut([(True, 40), (False, 60), (True, 40)])
    assert (first.start, first.offset) == (0, -PRE_ROLL)
    assert first.start - first.offset == other.start - other.offset
    quiet, speech = first.samples[:PRE_ROLL], first.samples[PRE_ROLL:]
    assert not quiet.any()
    assert speech[1] == 1
