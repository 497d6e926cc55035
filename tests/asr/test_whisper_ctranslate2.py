"""Whisper on short windows, with real weights and human speech."""

from __future__ import annotations

from typing import Any

import ctranslate2
import numpy as np
import pytest
import soxr

from services.asr.engines import guards
from services.asr.engines.engine import Hypothesis, Window, decode_fully
from services.asr.engines.whisper_ctranslate2 import (
    WhisperCTranslate2,
    length_class,
    padded_seconds,
)
from tests.asr.audio import read_wav, silence, words
from tests.recordings import cards, librivox

pytestmark = pytest.mark.slow


def test_human_speech_is_understood(base: WhisperCTranslate2) -> None:
    wrong = total = 0
    for recording in librivox():
        [heard] = decode_fully(base, [Window(read_wav(recording.path))])
        assert not isinstance(heard, Exception)
        assert heard.language == "en"
        expected = words(recording.transcript.replace("mister", "mr"))
        wrong += sum(word not in words(heard.text) for word in expected)
        total += len(expected)
    assert wrong / total < 0.05


def test_a_batch_says_what_its_windows_say_alone(base: WhisperCTranslate2) -> None:
    windows = [Window(read_wav(r.path)[:40_000], language="en") for r in librivox()[:3]]
    together = decode_fully(base, windows)
    alone = [decode_fully(base, [window])[0] for window in windows]
    assert [h.text for h in together] == [h.text for h in alone]  # type: ignore[union-attr]


def test_words_lie_in_the_window_in_order_and_make_up_the_text(base: WhisperCTranslate2) -> None:
    window = Window(read_wav(librivox()[0].path), word_offsets=True)
    [heard] = decode_fully(base, [window])
    assert not isinstance(heard, Exception)
    assert "".join(word.text for word in heard.words) == heard.text
    times = [t for word in heard.words for t in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= window.seconds
    assert all(0 < word.probability <= 1 for word in heard.words)


def test_languages_and_offsets_may_differ_within_a_batch(base: WhisperCTranslate2) -> None:
    speech = read_wav(librivox()[1].path)
    named = Window(speech, language="en", word_offsets=True)
    detected = Window(speech, word_offsets=True)
    german = Window(speech, language="de", word_offsets=True)
    results = decode_fully(base, [named, detected, german])
    assert [h.language for h in results] == ["en", "en", "de"]  # type: ignore[union-attr]
    assert all(h.words for h in results)  # type: ignore[union-attr]


def test_a_hint_of_control_tokens_spoils_no_batch(base: WhisperCTranslate2) -> None:
    speech = read_wav(librivox()[4].path)
    windows = [
        Window(speech, language="en", hints=(hint,))
        for hint in ("Redis", "<|startoftranscript|>", "<|startoftranscript|> Redis")
    ]
    for other in windows[1:]:
        together = [w for w in windows if base.batch_key(w) == base.batch_key(other)]
        assert all("himself" in words(h.text) for h in decode_fully(base, together))  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [0.1, 3.0, 12.0])
def test_silence_has_no_text(base: WhisperCTranslate2, seconds: float) -> None:
    [heard] = decode_fully(base, [Window(silence(seconds))])
    assert not isinstance(heard, Exception)
    assert heard.text == ""


def test_short_repeated_words_do_not_loop(base: WhisperCTranslate2) -> None:
    five_five = read_wav(cards()[3].path)
    [heard] = decode_fully(base, [Window(five_five, language="en")])
    assert not isinstance(heard, Exception)
    assert 1 <= len(words(heard.text)) <= 3


def test_hints_bend_the_text_towards_them(base: WhisperCTranslate2) -> None:
    queen_of_clubs = read_wav(cards()[1].path)
    [plain] = decode_fully(base, [Window(queen_of_clubs, language="en")])
    hints = ("queen of clubs", "ten of spades", "seven of hearts")
    [hinted] = decode_fully(base, [Window(queen_of_clubs, language="en", hints=hints)])
    assert not isinstance(plain, Exception)
    assert not isinstance(hinted, Exception)
    assert "clubs" not in words(plain.text)
    assert "clubs" in words(hinted.text)


def test_windows_share_a_batch_by_coarse_length_and_few_prompt_lengths(
    base: WhisperCTranslate2,
) -> None:
    def key(seconds: float, **fields: object) -> tuple[float, int, int]:
        return base.batch_key(Window(silence(seconds), **fields))  # type: ignore[arg-type]

    assert key(3.1) == key(7.9) == key(5.0, word_offsets=True)
    assert key(3.1) != key(9.0)
    assert length_class(3.1, "cuda") == length_class(27.0, "cuda")
    assert key(3.1, hints=("Kafka",)) == key(3.1, hints=("Redis", "backpressure", "idempotent"))
    prompts = {key(3.1, context=" word" * count)[1] for count in range(0, 200, 7)}
    assert prompts == {0, 33, 65}
    assert padded_seconds(29.5) == 30.0


def test_windows_with_prompts_of_any_kind_share_a_batch(base: WhisperCTranslate2) -> None:
    speech = read_wav(librivox()[4].path)
    windows = [
        Window(speech, language="en", hints=("amiable",)),
        Window(speech, hints=("Kafka", "Redis"), word_offsets=True),
        Window(speech, hints=("Dashwood",), context=" He was a young man."),
    ]
    assert len({base.batch_key(window) for window in windows}) == 1
    for heard in decode_fully(base, windows):
        assert not isinstance(heard, Exception)
        assert "himself" in words(heard.text)


def test_features_made_ahead_give_the_same_text(base: WhisperCTranslate2) -> None:
    window = Window(read_wav(librivox()[4].path), language="en", final=False)
    assert decode_fully(base, [base.prepare(window)]) == decode_fully(base, [window])


def test_the_end_of_fast_speech_is_not_cut_off(base: WhisperCTranslate2) -> None:
    clips = [read_wav(recording.path)[1_500:-2_000] for recording in librivox()]
    fast = soxr.resample(np.concatenate(clips), 16_000 * 1.4, 16_000)
    [heard] = decode_fully(base, [Window(fast, language="en", final=False)])
    assert not isinstance(heard, Exception)
    assert heard.reliable
    assert words(heard.text)[-1] == "himself"


def test_a_text_cut_for_its_length_is_unreliable(
    base: WhisperCTranslate2, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "token_limit", lambda language, seconds: 9)
    window = Window(read_wav(librivox()[0].path), language="en", final=False)
    [heard] = decode_fully(base, [window])
    assert not isinstance(heard, Exception)
    assert not heard.reliable
    assert len(words(heard.text)) >= 5


def test_what_was_known_of_the_language_decides_where_the_window_does_not(
    base: WhisperCTranslate2,
) -> None:
    muffled = read_wav(cards()[1].path)[:8_000] * np.float32(0.02)
    german = (("de", 1.0), ("", 0.001))
    [heard] = decode_fully(base, [Window(muffled, language_prior=german, final=False)])
    assert not isinstance(heard, Exception)
    assert heard.language == "de"
    [sure] = decode_fully(base, [Window(read_wav(librivox()[0].path), language_prior=german)])
    assert not isinstance(sure, Exception)
    assert sure.language == "en"


@pytest.mark.slow
def test_reversed_speech_is_taken_for_invented(base: WhisperCTranslate2) -> None:
    backwards = np.ascontiguousarray(read_wav(librivox()[2].path)[::-1])
    [heard] = decode_fully(base, [Window(backwards)])
    assert not isinstance(heard, Exception)
    assert guards.is_invented(heard)


@pytest.mark.parametrize("change", ["quiet", "noisy", "8 kHz"])
def test_real_speech_is_not_taken_for_invented(base: WhisperCTranslate2, change: str) -> None:
    speech = read_wav(librivox()[4].path)
    if change == "quiet":
        speech = speech * np.float32(0.01)
    elif change == "noisy":
        noise = np.random.default_rng(3).normal(0, 1, len(speech)).astype(np.float32)
        speech = speech + noise * np.float32(np.std(speech) / 10**0.5)
    else:
        speech = soxr.resample(soxr.resample(speech, 16_000, 8_000), 8_000, 16_000)
    [heard] = decode_fully(base, [Window(speech)])
    assert not isinstance(heard, Exception)
    assert "himself" in words(heard.text)
    assert not guards.is_invented(heard)


def test_loud_clipped_speech_is_still_understood(base: WhisperCTranslate2) -> None:
    clipped = np.clip(read_wav(librivox()[4].path) * 20, -1, 1).astype(np.float32)
    [heard] = decode_fully(base, [Window(clipped)])
    assert not isinstance(heard, Exception)
    said = words(heard.text)
    assert sum(word in said for word in words(librivox()[4].transcript)) >= 7


class InBfloat16:
    """A model as it is on a GPU that computes in bfloat16, of which numpy knows nothing."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode(self, features: Any) -> Any:
        return self._model.encode(features).to(ctranslate2.DataType.bfloat16)


def test_words_of_some_windows_of_a_batch_are_timed_in_bfloat16_too(
    base: WhisperCTranslate2, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = read_wav(librivox()[4].path)
    windows = [
        Window(speech, language="en", final=False),
        Window(speech, language="en", word_offsets=True, final=False),
    ]
    monkeypatch.setattr(base, "_model", InBfloat16(base._model))
    _, heard = base.decode(windows)
    assert isinstance(heard, Hypothesis)
    assert "".join(word.text for word in heard.words) == heard.text
