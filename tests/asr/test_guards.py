"""Signs of a decoding gone wrong."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from services.asr.engines import guards


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(7, 12))
@example([0, 1, 1, 1, 1, 1, 1], 7)
def test_a_loop_is_found_and_its_first_round_kept(unit: list[int], times: int) -> None:
    start = [100, 101, 102]
    tail = guards.looped_tail(start + unit * times)
    assert tail > 0
    assert len(start) + len(unit) * times - tail <= len(start) + 2 * len(unit)


@given(st.lists(st.integers(), unique=True, max_size=60))
def test_text_that_repeats_nothing_is_no_loop(tokens: list[int]) -> None:
    assert guards.looped_tail(tokens) == 0


def test_people_may_repeat_themselves() -> None:
    assert guards.looped_tail([1, 1, 1, 1]) == 0
    assert guards.looped_tail([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]) == 0


def test_a_cut_off_last_round_is_part_of_the_loop() -> None:
    assert guards.looped_tail([9, *[1, 2, 3, 4] * 3, 1, 2]) == 10


def test_only_repetition_compresses() -> None:
    assert guards.compression_ratio("He was not an ill-disposed young man.") < 1.5
    assert guards.compression_ratio("Thank you. " * 20) > guards.COMPRESSION_RATIO
    assert guards.compression_ratio("") == 0.0


def test_no_speech_takes_both_signs() -> None:
    assert guards.is_no_speech(0.9, -1.5)
    assert not guards.is_no_speech(0.9, -0.2)
    assert not guards.is_no_speech(0.1, -1.5)
    assert guards.is_no_speech(0.9, -0.2, reliable=False)
    assert not guards.is_no_speech(0.5, -0.2, reliable=False)
    assert guards.is_no_speech(0.55, -1.5)
