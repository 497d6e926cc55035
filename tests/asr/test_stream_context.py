"""What turns of one stream give each other, with a model that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from services.asr.engines.engine import SAMPLE_RATE, Float32, Hypothesis, HypothesisWord, Window
from services.asr.stream_context import StreamContext
from services.asr.turn import Turn

SURE = Hypothesis(" I was there.", (), "en", 0.97, 0.9, detected=(("en", 0.97), ("ar", 0.01)))


def samples(seconds: float) -> Float32:
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def finished(
    context: StreamContext, number: int, seconds: float, model: Callable[[Window], Hypothesis]
) -> tuple[Turn, list[Window]]:
    """A turn of that length, decoded until it is settled."""
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


def test_a_sure_turn_is_decoded_once_and_alone() -> None:
    context = StreamContext()
    for number in (1, 2):
        _, windows = finished(context, number, 2.0, lambda _: SURE)
        assert [window.seconds for window in windows] == [2.0]
        assert windows[0].context == ""


def test_a_doubtful_turn_is_heard_again_with_the_speech_before_it() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds < 2:
            return replace(SURE, text=" Back him late.", probability=0.5)
        said = [*["I", "was", "there."], *["That", "came", "later."]]
        times = [0.2, 0.8, 1.4, 2.7, 3.0, 3.3]
        words = [
            HypothesisWord(f" {word}", time, time + 0.2, 0.95)
            for word, time in zip(said, times, strict=True)
        ]
        return replace(SURE, text=" I was there. That came later.", words=tuple(words))

    turn, windows = finished(context, 2, 1.2, model)
    assert len(windows) == 2
    assert windows[1].seconds > 3
    assert text(turn, 1.2) == "That came later."


def test_what_does_not_fit_the_speech_before_it_is_not_believed() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)

    def model(window: Window) -> Hypothesis:
        if window.seconds < 2:
            return replace(SURE, text=" Nobody noticed.", probability=0.5)
        # All of it lies in the earlier turn: the model fell silent or looped.
        words = (HypothesisWord(" I", 0.1, 0.2, 0.99), HypothesisWord(" was", 0.3, 0.5, 0.99))
        return replace(SURE, text=" I was", words=words)

    turn, _ = finished(context, 2, 1.2, model)
    assert text(turn, 1.2) == "Nobody noticed."


def test_a_long_doubtful_turn_has_the_text_before_it_as_its_prompt() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: SURE)
    doubtful = replace(SURE, text=" It was along one.", probability=0.5)

    def model(window: Window) -> Hypothesis:
        return replace(SURE, text=" It was a long one.") if window.context else doubtful

    turn, windows = finished(context, 2, 9.0, model)
    assert windows[1].context == SURE.text
    assert text(turn, 9.0) == "It was a long one."


def test_a_doubtful_text_is_nobodys_context() -> None:
    context = StreamContext()
    finished(context, 1, 2.0, lambda _: replace(SURE, probability=0.5))
    finished(context, 2, 2.0, lambda _: replace(SURE, reliable=False))
    assert context.earlier(3, 1.0) is None
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
