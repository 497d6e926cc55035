"""Stable text: it only grows, and what is final begins with it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.asr.agreement import StableText, continuation

words = st.lists(
    st.sampled_from(
        ["he", "was", "not", "an", "ill", "ill-disposed", "Young,", "man.", "你", "好"]
    ),
    max_size=12,
)
hypotheses = st.lists(words.map(lambda said: " " + " ".join(said)), max_size=8)


@given(hypotheses, st.booleans())
def test_stable_text_only_grows_and_the_final_text_begins_with_it(
    heard: list[str], closing: bool
) -> None:
    text = StableText()
    stable = ""
    for hypothesis in heard:
        text.update(hypothesis)
        assert text.stable.startswith(stable)
        stable = text.stable
        if closing and text.window_stable > 8:
            text.close_window(text.window_stable)
            assert text.stable.startswith(stable)
    final = text.settle(heard[-1] if heard else "")
    assert final.startswith(stable.strip())


@given(words)
def test_a_text_heard_twice_is_stable_but_for_its_last_word(said: list[str]) -> None:
    hypothesis = " " + " ".join(said)
    text = StableText()
    text.update(hypothesis)
    text.update(hypothesis)
    assert (text.stable + text.unstable).strip() == hypothesis.strip()


def test_two_hypotheses_must_agree_and_their_last_words_wait() -> None:
    text = StableText()
    text.update(" He was not an ill disposed young man")
    assert (text.stable, text.unstable) == ("", "He was not an ill disposed young man")
    text.update(" He was not an ill disposed young man unless to be")
    assert text.stable == "He was not"
    assert text.unstable == " an ill disposed young man unless to be"


def test_text_in_a_language_that_is_not_sure_yet_does_not_become_stable() -> None:
    text = StableText()
    for _ in range(3):
        text.update(" كانت في مارس وكان الجو باردا جدا في المدينة", agree=False)
    assert text.stable == ""
    assert text.settle(" It was in March.") == "It was in March."


def test_punctuation_and_capitals_do_not_hold_text_back() -> None:
    text = StableText()
    text.update(" he was. Not an ill-disposed man unless to be")
    text.update(" He was not an ill-disposed man, unless to be rather")
    assert text.stable == "He was not an"


def test_the_last_word_may_be_half_a_word() -> None:
    text = StableText()
    text.update(" rather selfish is to be ill")
    text.update(" rather selfish is to be ill.")
    assert text.stable == "rather"
    assert text.settle(" rather selfish is to be ill-disposed.").endswith("to be ill-disposed.")


def test_stable_text_stays_when_a_later_decode_disagrees() -> None:
    text = StableText()
    text.update(" the cat sat on the mat all day")
    text.update(" the cat sat on the mat all day")
    assert text.settle(" The cats sat on a mat today.") == "the cat sat on a mat today."


def test_characters_are_words_where_a_script_has_no_spaces() -> None:
    text = StableText()
    text.update("我们在做一个项目今年")
    text.update("我们在做一个项目今年做完")
    assert text.stable == "我们在做一"
    assert text.settle("我们在做一个项目。") == "我们在做一个项目。"


def test_a_hypothesis_that_says_less_continues_with_nothing() -> None:
    assert continuation("one two three", " one two") == len(" one two")
    assert continuation("", " one") == 0


def test_a_closed_window_stays_in_the_text() -> None:
    text = StableText()
    text.update(" One sentence. And more is to come later on")
    text.update(" One sentence. And more is to come later on")
    text.close_window(len(" One sentence."))
    text.update(" And more is to come later on")
    assert text.stable == "One sentence. And more"
    assert text.settle(" And more is to come.") == "One sentence. And more is to come."


def test_a_text_that_differs_is_continued_between_words() -> None:
    hypothesis = " Customers see it short delay."
    assert hypothesis[continuation(" Customer C is", hypothesis) :] == " see it short delay."
