"""How Chinese is written: in simplified or traditional characters, as the caller's tag says.

Whisper mixes the two as its training data did, and full-width marks with those of English.
Hypotheses are converted (OpenCC) before anything is made of them, so stable text and finals are
compared, and kept, in one script; marks behind a Chinese character are made Chinese ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache

from opencc import OpenCC

from services.asr.engines.engine import Hypothesis, HypothesisWord
from services.asr.tags import NamedLanguages, subtags

_CHINESE = frozenset({"zh", "yue"})
# OpenCC's conversions. Taiwan's variants of characters are undone on the way to simplified ones;
# no conversion changes words, only how they are written.
_SIMPLIFIED, _TAIWAN, _HONG_KONG = "tw2s", "s2tw", "s2hk"

Rewrite = Callable[[Hypothesis], Hypothesis]


def in_named_script(languages: NamedLanguages) -> Rewrite:
    """Rewrites Chinese hypotheses in the script that the caller's tags name; leaves all others."""

    def rewrite(hypothesis: Hypothesis) -> Hypothesis:
        if hypothesis.language not in _CHINESE or not hypothesis.text:
            return hypothesis
        convert = _converter(_conversion(languages.tag(hypothesis.language)))
        return _converted(hypothesis, convert)

    return rewrite


def _conversion(tag: str) -> str:
    parts = subtags(tag)
    if "hans" in parts:
        return _SIMPLIFIED
    if "hk" in parts:
        return _HONG_KONG
    return _TAIWAN if {"tw", "hant"} & set(parts) else _SIMPLIFIED


@cache
def _converter(conversion: str) -> Callable[[str], str]:
    converter: Callable[[str], str] = OpenCC(conversion).convert
    return converter


def _converted(hypothesis: Hypothesis, convert: Callable[[str], str]) -> Hypothesis:
    text = _written(convert, hypothesis.text)
    if len(text) == len(hypothesis.text):
        # By the whole text: which character is right can depend on the neighbours.
        words: list[HypothesisWord] = []
        position = 0
        for word in hypothesis.words:
            end = position + len(word.text)
            words.append(replace(word, text=text[position:end]))
            position = end
        return replace(hypothesis, text=text, words=tuple(words))
    words = [replace(word, text=_written(convert, word.text)) for word in hypothesis.words]
    said = "".join(word.text for word in words) if words else text
    return replace(hypothesis, text=said, words=tuple(words))


_MARKS = str.maketrans(",?!:;", "，？！：；")
_NARROW_MARK = re.compile("(?<=[\u4e00-\u9fff])[,?!:;]")
"""Not the full stop: what follows decides what it is, and stable text has to stay as it is."""


def _written(convert: Callable[[str], str], text: str) -> str:
    return _NARROW_MARK.sub(lambda mark: mark[0].translate(_MARKS), convert(text))
