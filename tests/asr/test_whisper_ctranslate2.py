"""Whisper on short windows, with real weights and human speech."""

from __future__ import annotations

import numpy as np
import pytest

from services.asr.engines.engine import Window
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2, padded_seconds
from tests.asr.audio import read_wav, silence, words
from tests.recordings import cards, librivox


def test_human_speech_is_understood(base: WhisperCTranslate2) -> None:
    wrong = total = 0
    for recording in librivox():
        [heard] = base.decode([Window(read_wav(recording.path))])
        assert not isinstance(heard, Exception)
        assert heard.language == "en"
        expected = words(recording.transcript.replace("mister", "mr"))
        wrong += sum(word not in words(heard.text) for word in expected)
        total += len(expected)
    assert wrong / total < 0.05


def test_a_batch_says_what_its_windows_say_alone(base: WhisperCTranslate2) -> None:
    windows = [Window(read_wav(r.path)[:40_000], language="en") for r in librivox()[:3]]
    together = base.decode(windows)
    alone = [base.decode([window])[0] for window in windows]
    assert [h.text for h in together] == [h.text for h in alone]  # type: ignore[union-attr]


def test_words_lie_in_the_window_in_order_and_make_up_the_text(base: WhisperCTranslate2) -> None:
    window = Window(read_wav(librivox()[0].path), word_offsets=True)
    [heard] = base.decode([window])
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
    results = base.decode([named, detected, german])
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
        assert all("himself" in words(h.text) for h in base.decode(together))  # type: ignore[union-attr]


@pytest.mark.parametrize("seconds", [0.1, 3.0, 12.0])
def test_silence_has_no_text(base: WhisperCTranslate2, seconds: float) -> None:
    [heard] = base.decode([Window(silence(seconds))])
    assert not isinstance(heard, Exception)
    assert heard.text == ""


def test_short_repeated_words_do_not_loop(base: WhisperCTranslate2) -> None:
    five_five = read_wav(cards()[3].path)
    [heard] = base.decode([Window(five_five, language="en")])
    assert not isinstance(heard, Exception)
    assert 1 <= len(words(heard.text)) <= 3


def test_hints_bend_the_text_towards_them(base: WhisperCTranslate2) -> None:
    queen_of_clubs = read_wav(cards()[1].path)
    [plain] = base.decode([Window(queen_of_clubs, language="en")])
    hints = ("queen of clubs", "ten of spades", "seven of hearts")
    [hinted] = base.decode([Window(queen_of_clubs, language="en", hints=hints)])
    assert not isinstance(plain, Exception)
    assert not isinstance(hinted, Exception)
    assert "clubs" not in words(plain.text)
    assert "clubs" in words(hinted.text)


def test_windows_share_a_batch_by_padded_length_and_prompt(base: WhisperCTranslate2) -> None:
    def key(seconds: float, **fields: object) -> object:
        return base.batch_key(Window(silence(seconds), **fields))  # type: ignore[arg-type]

    assert key(3.1) == key(3.4)
    assert key(3.1) != key(5.0)
    assert key(3.1) != key(3.1, hints=("Kafka",))
    assert padded_seconds(29.5) == 30.0


def test_loud_clipped_speech_is_still_understood(base: WhisperCTranslate2) -> None:
    clipped = np.clip(read_wav(librivox()[4].path) * 20, -1, 1).astype(np.float32)
    [heard] = base.decode([Window(clipped)])
    assert not isinstance(heard, Exception)
    said = words(heard.text)
    assert sum(word in said for word in words(librivox()[4].transcript)) >= 7
