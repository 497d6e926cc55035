"""Signs of a decoding gone wrong."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from services.asr.engines import guards
from services.asr.engines.engine import Hypothesis


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


def test_a_sentence_said_twice_and_nothing_else_is_doubled() -> None:
    assert guards.is_doubled(" There were five of us. There were five of us.")
    assert not guards.is_doubled(" No, no. No, no.")
    assert not guards.is_doubled(" There were five of us. There were six of us.")
    assert not guards.is_doubled("")


def test_twice_the_usual_speed_of_speech_is_within_the_limit() -> None:
    words_a_second, tokens_a_word, seconds = 5.0, 1.3, 26.0
    assert guards.token_limit("en", seconds) > words_a_second * tokens_a_word * seconds * 1.5


def test_an_improbable_text_is_invented_and_more_so_in_an_unsure_language() -> None:
    def heard(probability: float, language: float, *, reliable: bool = True) -> Hypothesis:
        return Hypothesis(" Thank you.", (), "en", language, probability, reliable)

    assert guards.is_invented(heard(0.35, 1.0))
    assert not guards.is_invented(heard(0.45, 1.0))
    assert guards.is_invented(heard(0.45, 0.3))
    assert guards.is_invented(heard(0.7, 0.3, reliable=False))
    assert not guards.is_invented(heard(0.6, 0.3))
    assert guards.is_doubtful(heard(0.6, 0.3))
    assert not guards.is_doubtful(heard(0.6, 0.9))


def test_a_few_words_that_nothing_speaks_against_are_kept() -> None:
    def heard(text: str, probability: float, language: float = 1.0) -> Hypothesis:
        return Hypothesis(text, (), "en", language, probability, reliable=True)

    assert not guards.is_invented(heard(" ASK NOT!", 0.39))
    assert guards.is_invented(heard(" ASK NOT!", 0.3))
    assert guards.is_invented(heard(" ASK NOT!", 0.39, language=0.4))
    assert guards.is_invented(heard(" Thank you very much.", 0.39))
    assert guards.is_invented(heard(" My fellow citizens of the world, ask.", 0.39))


def test_a_text_of_improbable_words_in_an_unsure_language_is_invented() -> None:
    text = " Oh, we know the cops are almost in the end of it."
    backwards = Hypothesis(text, (), "en", 0.65, 0.48, word_probability=0.47)
    assert guards.is_invented(backwards)
    assert not guards.is_invented(replace(backwards, word_probability=0.6))
    assert not guards.is_invented(replace(backwards, language_probability=0.95))
    assert not guards.is_invented(replace(backwards, probability=0.6))
