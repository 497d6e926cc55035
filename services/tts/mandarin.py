"""Chinese characters to the phonemes Kokoro was trained on, by misaki's tables.

Words are found by jieba and read by pypinyin, so that a character read two ways is read as its word
asks. The optional extra `tts-zh`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from services.runtime.errors import ResourceMissing
from services.tts import installing
from services.tts.normalization import Token
from services.tts.pronunciation import Symbol


class MandarinPronouncer:
    """Pronounces runs of Chinese characters."""

    def __init__(self, cache_dir: Path) -> None:
        """Loads the dictionaries.

        Args:
            cache_dir: Where jieba keeps its compiled dictionary.

        Raises:
            ResourceMissing: The extra is not installed.
        """
        try:
            import jieba
            import pypinyin
            from misaki.zh import ZHG2P
        except ModuleNotFoundError as missing:
            raise ResourceMissing(
                f"{missing.name} is not installed", installing.EXTRA_CHINESE
            ) from None
        jieba.setLogLevel(logging.WARNING)
        self._words = jieba.Tokenizer()
        cache_dir.mkdir(parents=True, exist_ok=True)
        self._words.tmp_dir = str(cache_dir)
        self._words.initialize()
        self._pypinyin = pypinyin
        self._ipa = ZHG2P.py2ipa

    def pronounce(self, tokens: Sequence[tuple[int, Token]]) -> list[Symbol]:
        """The symbols of tokens that are said in Mandarin, with their punctuation."""
        symbols: list[Symbol] = []
        clause: list[tuple[int, Token]] = []
        for index, token in tokens:
            clause.append((index, token))
            if token.after or (index, token) == tokens[-1]:
                if symbols:
                    symbols.append(Symbol(" ", symbols[-1].token))
                symbols += self._clause(clause)
                symbols += [Symbol(mark, index) for mark in token.after]
                clause = []
        return symbols

    def _clause(self, tokens: Sequence[tuple[int, Token]]) -> list[Symbol]:
        """Words are parted by spaces, as in the model's training."""
        owners = [(index, c) for index, token in tokens for c in token.spoken if c != " "]
        symbols: list[Symbol] = []
        position = 0
        for word in self._words.lcut("".join(c for _, c in owners), cut_all=False):
            if symbols:
                symbols.append(Symbol(" ", symbols[-1].token))
            readings = self._pypinyin.lazy_pinyin(
                word, style=self._pypinyin.Style.TONE3, neutral_tone_with_five=True
            )
            for place, reading in enumerate(readings, position):
                owner = owners[min(place, len(owners) - 1)][0]
                symbols += [Symbol(c, owner) for c in self._syllable(reading)]
            position += len(word)
        return symbols

    def _syllable(self, reading: str) -> str:
        try:
            # U+032F, "not syllabic", is in the tables but not among the model's symbols.
            return str(self._ipa(reading)).replace("\u032f", "")
        except (KeyError, ValueError, IndexError):
            # A character without a reading comes back as itself.
            return ""
