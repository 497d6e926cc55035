"""Phonemes, and which word each belongs to."""

from __future__ import annotations

import threading

import pytest

from services.tts.alignment import label_symbols
from services.tts.espeak import Phonemizer
from services.tts.mandarin import MandarinPronouncer
from services.tts.normalization import normalize
from services.tts.onnx_graph import with_output
from services.tts.pronunciation import Symbol, pronounce


def by_word(symbols: list[Symbol], count: int) -> list[str]:
    return ["".join(s.text for s in symbols if s.token == word).strip() for word in range(count)]


def test_words_that_run_together_keep_their_borders() -> None:
    utterance = normalize("I am in the house of cards")
    assert utterance is not None

    symbols = pronounce(list(enumerate(utterance.tokens)), Phonemizer(), {})
    words = by_word(symbols, 7)

    assert " ".join("".join(s.text for s in symbols).split()) == "aɪɐm ɪnðə hˈaʊs ʌv kˈɑːɹdz"
    assert words == ["aɪ", "ɐm", "ɪn", "ðə", "hˈaʊs", "ʌv", "kˈɑːɹdz"]


def test_punctuation_comes_back_at_its_word() -> None:
    utterance = normalize("Well, is it?")
    assert utterance is not None

    symbols = pronounce(list(enumerate(utterance.tokens)), Phonemizer(), {})

    assert [(s.text, s.token) for s in symbols if s.text in ",?"] == [(",", 0), ("?", 2)]


def test_a_given_pronunciation_replaces_the_words_own() -> None:
    utterance = normalize("We use Redis.")
    assert utterance is not None

    symbols = pronounce(list(enumerate(utterance.tokens)), Phonemizer(), {"redis": "ˈɹɛdɪs"})

    assert by_word(symbols, 3)[2] == "ˈɹɛdɪs."


def test_labels_never_fall_and_cover_everything() -> None:
    labels = label_symbols("ɪnðəhˈaʊs", ["ɪn", "ðə", "hˈaʊs"])

    assert labels == sorted(labels)
    assert set(labels) == {0, 1, 2}
    assert label_symbols("abc", ["", ""]) == [0, 0, 0]


def test_threads_do_not_disturb_each_other() -> None:
    lines = {f"the answer number {word} is right" for word in ("one", "two", "three", "four")}
    expected = {line: Phonemizer().pronounce(line) for line in lines}
    wrong: list[str] = []

    def work(line: str) -> None:
        phonemizer = Phonemizer()
        wrong.extend(line for _ in range(50) if phonemizer.pronounce(line) != expected[line])

    threads = [threading.Thread(target=work, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


@pytest.mark.slow
def test_every_chinese_character_owns_its_syllable(mandarin: MandarinPronouncer) -> None:
    utterance = normalize("银行，行走。")
    assert utterance is not None

    symbols = mandarin.pronounce(list(enumerate(utterance.tokens)))
    words = by_word(symbols, 4)

    assert all(words)
    # One character, read as its word asks: háng, xíng.
    assert words[1].rstrip(",") != words[2]
    assert words[1].endswith(",")
    assert words[3].endswith(".")


@pytest.mark.parametrize("name", ["/Ceil_output_0", "x" * 300])
def test_an_added_output_is_appended_to_the_model(name: str) -> None:
    model = with_output(b"model", name)

    assert model.startswith(b"model")
    assert name.encode() in model
