"""What turns of one stream give each other, with a model that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.stream_context import StreamContext
from services.asr.turn import Turn

SURE = Hypothesis(" I was there.", (), "en", 0.97, 0.9, detected=(("en", 0.97), ("ar", 0.01)))


def samples(seconds: float) -> Float32:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def finished(
    context: StreamContext,
    number: int,
    seconds: float,
    model: Callable[[Window], Hypothesis],
    *,
    preview: Hypothesis | None = None,
) -> tuple[Turn, list[Window]]:
    """A turn of that length, decoded until it is settled, perhaps after a preview."""
    end = round(seconds * SAMPLE_RATE)
    turn = Turn(
        number,
        speech_start=0,
        audio_start=0,
        languages=(),
        hints=(),
        word_offsets=False,
        context=context,
    )
    if preview is not None:
        turn.absorb(turn.preview(end // 2), preview)
    windows: list[Window] = []
    while turn.settled(end) is None:
        job = turn.settling(end, end)
        windows.append(turn.window(job, samples(seconds)))
        turn.absorb(job, model(windows[-1]))
    return turn, windows


def text(turn: Turn, seconds: float) -> str:
    settled = turn.settled(round(seconds * SAMPLE_RATE))
    assert settled is not None
    return settled.text


def after(window: Window, text: str, probability: float, first: float) -> Hypothesis:
    """SURE's text, then another whose words begin at `first` seconds, half a second apart."""
    before = [HypothesisWord(f" {word}", 0.3, 0.5, 0.95) for word in ("I", "was", "there.")]
    own = [
        HypothesisWord(f" {word}", first + n / 2, first + n / 2 + 0.4, probability)
        for n, word in enumerate(text.split())
    ]
    words = (*before, *own) if window.word_offsets else ()
    return replace(SURE, text=f"{SURE.text} {text}", words=words)


def test_a_sure_turn_of_some_length_is_decoded_once_and_alone() -> None:
    context = StreamContext()
    for number in (1, 2):
        turn, windows = finished(context, number, 5.0, lambda _: SURE, preview=SURE)
        assert [window.seconds for window in windows] == [5.0]
        assert windows[0].context == ""
        assert text(turn, 5.0) == "I was there."


def test_a_short_turn_is_heard_together_with_the_speech_before_it() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)
    turn, windows = finished(
        context, 2, 1.2, lambda window: after(window, "That came later.", 0.95, 2.5)
    )
    assert [window.seconds for window in windows] == [pytest.approx(3.5)]
    assert text(turn, 1.2) == "That came later."


def test_a_first_word_that_is_timed_into_the_silence_before_it_is_not_lost() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)
    # The joint is at 2.3 s; the word's middle lies before it.
    turn, _ = finished(context, 2, 1.2, lambda window: after(window, "Seven of clubs", 0.9, 2.05))
    assert text(turn, 1.2) == "Seven of clubs"


def test_a_short_turn_that_is_not_clear_together_is_also_heard_alone() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds > 2:
            return after(window, "That Kim later.", 0.65, 2.5)
        return replace(SURE, text=" That came later.", probability=0.6)

    turn, windows = finished(context, 2, 1.2, model)
    assert [window.seconds > 2 for window in windows] == [True, False]
    assert text(turn, 1.2) == "That came later."


def test_a_short_turn_in_another_language_is_not_heard_with_the_speech_before_it() -> None:
    context = StreamContext()
    finished(context, 1, 5.0, lambda _: SURE)
    german = replace(SURE, text=" Das war ich.", language="de", detected=(("de", 0.97),))
    turn, windows = finished(context, 2, 2.0, lambda _: german, preview=german)
    assert [window.seconds for window in windows] == [2.0]
    assert text(turn, 2.0) == "Das war ich."


def test_a_doubtful_turn_is_heard_again_with_the_speech_before_it() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds < 6:
            return replace(SURE, text=" Back him late.", probability=0.5)
        return after(window, "That came later.", 0.95, 2.5)

    turn, windows = finished(context, 2, 5.0, model, preview=SURE)
    assert [window.seconds for window in windows] == [5.0, pytest.approx(7.3)]
    assert text(turn, 5.0) == "That came later."


def test_where_previews_were_doubtful_the_speech_before_is_heard_at_once() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)
    _, windows = finished(
        context,
        2,
        5.0,
        lambda window: after(window, "That came later.", 0.95, 2.5),
        preview=replace(SURE, probability=0.5),
    )
    assert [window.seconds for window in windows] == [pytest.approx(7.3)]


def test_what_does_not_fit_the_speech_before_it_is_not_believed() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds < 2:
            return replace(SURE, text=" Nobody noticed.", probability=0.5)
        # All of it lies in the earlier turn: the model fell silent.
        return after(window, "", 0.95, 0.0)

    turn, _ = finished(context, 2, 1.2, model)
    assert text(turn, 1.2) == "Nobody noticed."


def test_more_words_than_can_be_said_are_a_loop() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds < 2:
            return replace(SURE, text=" Nobody noticed.", probability=0.5)
        looped = [HypothesisWord(" five", 2.6 + n / 100, 2.7 + n / 100, 0.99) for n in range(20)]
        return replace(SURE, text=20 * " five", words=tuple(looped))

    turn, _ = finished(context, 2, 1.2, model)
    assert text(turn, 1.2) == "Nobody noticed."


def test_of_a_long_turn_only_the_end_is_heard_again() -> None:
    context = StreamContext()
    finished(context, 1, 20.0, lambda _: SURE)
    _, windows = finished(context, 2, 1.0, lambda window: after(window, "Yes.", 0.95, 8.5))
    assert 4.0 <= windows[0].seconds - 1.3 <= 8.0


def test_a_long_doubtful_turn_has_the_text_before_it_as_its_prompt() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)
    doubtful = replace(SURE, text=" It was along one.", probability=0.5)

    def model(window: Window) -> Hypothesis:
        return replace(SURE, text=" It was a long one.") if window.context else doubtful

    turn, windows = finished(context, 2, 9.0, model)
    assert windows[1].context == SURE.text
    assert text(turn, 9.0) == "It was a long one."


def test_a_doubtful_text_is_nobodys_prompt() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: replace(SURE, probability=0.5))
    finished(context, 2, 2.0, lambda _: replace(SURE, reliable=False))
    assert context.text(3, None) == ""


def test_an_invented_text_is_none() -> None:
    turn, _ = finished(StreamContext(), 1, 1.0, lambda _: replace(SURE, probability=0.3))
    assert text(turn, 1.0) == ""


def test_a_short_turn_is_told_of_the_language_before_it() -> None:
    context = StreamContext()
    _, first = finished(context, 1, 5.0, lambda _: SURE)
    _, second = finished(context, 2, 1.0, lambda _: SURE)
    assert first[0].language_prior == ()
    prior = dict(second[0].language_prior)
    assert prior["en"] > 100 * prior[""]


def test_what_is_stable_is_in_the_language_of_the_final_text() -> None:
    arabic = Hypothesis(" كان ذلك في شهر مارس من العام", (), "ar", 0.5, 0.9)
    english = " It was in March and we used Python for all of it"
    turn = Turn(1, speech_start=0, audio_start=0, languages=(), hints=(), word_offsets=False)
    for seconds in (1.0, 1.5, 1.9):
        turn.absorb(turn.preview(round(seconds * SAMPLE_RATE)), arabic)
        assert turn.partial().stable == ""
    for seconds in (2.5, 3.0, 3.5):
        turn.absorb(turn.preview(round(seconds * SAMPLE_RATE)), replace(SURE, text=english))
    assert turn.partial().stable == "It was in March and we used"


def test_decodes_of_the_same_speech_do_not_confirm_each_other() -> None:
    said = replace(SURE, text=" Customer C is short delay but no errors at all")
    turn = Turn(1, speech_start=0, audio_start=0, languages=("en",), hints=(), word_offsets=False)
    for seconds in (2.6, 2.8, 2.9):
        turn.absorb(turn.preview(round(seconds * SAMPLE_RATE)), said)
    assert turn.partial().stable == ""
    turn.absorb(turn.preview(round(3.5 * SAMPLE_RATE)), said)
    assert turn.partial().stable == "Customer C is short delay"
    turn.absorb(turn.preview(round(4.5 * SAMPLE_RATE)), replace(said, probability=0.5))
    assert turn.partial().stable == "Customer C is short delay"
