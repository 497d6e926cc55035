"""English words as phonemes, each knowing its word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from services.tts.alignment import label_symbols
from services.tts.espeak import Phonemizer
from services.tts.normalization import Token


@dataclass(frozen=True, slots=True)
class Symbol:
    """A phoneme, a stress or length mark, a space, or a punctuation mark.

    Attributes:
        text: One code point.
        token: The index of the word it belongs to.
    """

    text: str
    token: int


def word_key(written: str) -> str:
    """What a written word is matched by when a caller gives its pronunciation."""
    return written.strip("'’-").casefold()


def pronounce(
    tokens: Sequence[tuple[int, Token]],
    phonemizer: Phonemizer,
    pronunciations: Mapping[str, str],
    *,
    tie: bool = False,
) -> list[Symbol]:
    """The symbols of some words in IPA, with their punctuation.

    Args:
        tokens: What to say: words and their indices in the utterance.
        phonemizer: Who knows how.
        pronunciations: IPA by `word_key` of the words the caller pronounces.
        tie: Whether diphthongs and affricates are tied by U+0361.
    """
    symbols: list[Symbol] = []
    for given, clause in _clauses(tokens, pronunciations):
        if symbols:
            symbols.append(Symbol(" ", symbols[-1].token))
        if given is not None:
            index, token = clause[0]
            symbols += [Symbol(c, index) for c in unicodedata.normalize("NFC", given).strip()]
        else:
            symbols += _clause_symbols(clause, phonemizer, tie=tie)
        index, token = clause[-1]
        symbols += [Symbol(mark, index) for mark in token.after]
    return symbols


def _clauses(
    tokens: Sequence[tuple[int, Token]], pronunciations: Mapping[str, str]
) -> Iterator[tuple[str | None, list[tuple[int, Token]]]]:
    """Runs of words up to a mark; a word the caller pronounces is a run of its own."""
    number = 0
    keyed = []
    for index, token in tokens:
        given = pronunciations.get(word_key(token.written))
        if given is not None:
            number += 1
        keyed.append((number, given, (index, token)))
        if given is not None or token.after:
            number += 1
    for _, group in groupby(keyed, key=lambda item: item[0]):
        members = list(group)
        yield members[0][1], [member[2] for member in members]


def _clause_symbols(
    clause: list[tuple[int, Token]], phonemizer: Phonemizer, *, tie: bool
) -> list[Symbol]:
    together = phonemizer.pronounce(" ".join(token.spoken for _, token in clause), tie=tie)
    # A token may be said as several words; each keeps its token's index.
    words = [(index, word) for index, token in clause for word in token.spoken.split()]
    groups = together.split(" ")
    if len(groups) == len(words):
        apart = groups
    else:
        apart = [phonemizer.pronounce(word, tie=tie) for _, word in words]
    labels = label_symbols(together, apart)
    return [Symbol(c, words[label][0]) for c, label in zip(together, labels, strict=True)]
