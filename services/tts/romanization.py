"""Chinese names and words in a text of another language, for a voice that does not know Chinese."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import groupby

from services.tts.normalization import HAN, Token, Utterance

_HAN = re.compile(f"[{HAN}]")


@cache
def _pinyin() -> Callable[[str], list[str]] | None:
    try:
        from pypinyin import lazy_pinyin
    except ModuleNotFoundError:
        return None
    return lazy_pinyin


def can_romanize() -> bool:
    """Whether it can be done here: the extra `tts-zh` brings the readings."""
    return _pinyin() is not None


def romanized(utterance: Utterance) -> Utterance:
    """What is said, with each Chinese character as its syllable in pinyin without its tone.

    The words as written stay, and with them where they stand in the text.
    """
    tokens = []
    for chinese, run in groupby(utterance.tokens, lambda token: token.is_han):
        members = list(run)
        if chinese:
            readings = iter(_readings("".join(token.spoken for token in members)))
            members = [_read(token, readings) for token in members]
        tokens += members
    return Utterance(tuple(tokens))


def _read(token: Token, readings: Iterator[str]) -> Token:
    spoken = _HAN.sub(lambda _: f" {next(readings)} ", token.spoken)
    return replace(token, spoken=" ".join(spoken.split()))


def _readings(spoken: str) -> list[str]:
    """A syllable for each Chinese character; together, as a character may be read two ways."""
    read = _pinyin()
    assert read is not None  # noqa: S101 - who asks has asked `can_romanize`
    characters = _HAN.findall(spoken)
    together = read("".join(characters))
    return together if len(together) == len(characters) else [read(c)[0] for c in characters]
