"""The text of an answer so far as a recogniser would write it: never quite what was said.

Whisper leaves most fillers and restarts out, mishears the last word or misses it, and ends what it
heard with a full stop, with dots or with nothing, nearly as often where the sentence was not over.
In Chinese it writes a comma, or nothing, in the place of every other full stop. The shares are
those of Whisper base's own words of the fitted half (`table.Row.heard`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from services.cli.bench.endpointing.answers import Answer

_FILLER = re.compile(r"\b(?:um|uh|hmm|er),? ?|嗯[，,]?", re.IGNORECASE)
_RESTART = re.compile(r"\b(\w+) \1\b", re.IGNORECASE)
_MARKS = ".?!,;:…。？！，、；："
_FINAL = ".?!。？！"
_INNER_STOP = re.compile(r"[.。](?=\s*\S)")
_HAN = "\u2e80"
FILLERS_LEFT_OUT = 0.7
RESTARTS_LEFT_OUT = 0.95
LAST_WORD_MISSED = 0.01
LAST_WORD_MISHEARD = 0.05
STOPS_MADE_COMMAS = {False: 0.13, True: 0.5}
"""Of the full stops before the last sentence; of Chinese texts: True."""

_Shares = Mapping[str, float]
AFTER_SENTENCE: Mapping[bool, _Shares] = {
    False: {".": 0.96, "": 0.04},
    True: {"。": 0.62, "": 0.38},
}
"""How often a text ends with which mark where its last sentence is over; of Chinese texts: True."""
AFTER_PART: Mapping[bool, _Shares] = {
    False: {".": 0.71, "...": 0.14, "": 0.12, ",": 0.03},
    True: {"。": 0.47, "...": 0.04, "": 0.45, "，": 0.04},
}
"""The same where it is not."""


def said(answer: Answer, text_end: int) -> str:
    """The text up to a pause as written, with the marks behind its last word."""
    text = answer.text
    while text_end < len(text) and text[text_end] in _MARKS:
        text_end += 1
    return text[:text_end].rstrip()


def as_recognised(text: str, chance: np.random.Generator) -> str:
    """What a recogniser might make of it."""
    if chance.random() < FILLERS_LEFT_OUT:
        text = _FILLER.sub("", text)
    if chance.random() < RESTARTS_LEFT_OUT:
        text = _RESTART.sub(r"\1", text)
    text = text.rstrip()
    finished = text[-1:] in _FINAL
    text = text.rstrip(_MARKS)
    chinese = text[-1:] > _HAN
    comma, share = ("，" if chinese else ","), STOPS_MADE_COMMAS[chinese]
    text = _INNER_STOP.sub(lambda stop: comma if chance.random() < share else stop[0], text)
    kind = chance.random()
    if kind < LAST_WORD_MISSED:
        text = _without_last_word(text)
    elif kind < LAST_WORD_MISSED + LAST_WORD_MISHEARD:
        text = _misheard(text, chance)
    marks = (AFTER_SENTENCE if finished else AFTER_PART)[chinese]
    return text + str(chance.choice(list(marks), p=list(marks.values())))


def _without_last_word(text: str) -> str:
    if text[-1:] > _HAN:
        return text[:-1]
    return text.rpartition(" ")[0].rstrip(_MARKS)


def _misheard(text: str, chance: np.random.Generator) -> str:
    """With another of its words in the place of the last: a word, but not the one that was said."""
    if text[-1:] > _HAN:
        others = [character for character in text if character > _HAN and character not in _MARKS]
        return text[:-1] + str(chance.choice(others))
    before, _, last = text.rpartition(" ")
    others = [word.strip(_MARKS) for word in before.split() if word.strip(_MARKS)] or [last]
    return f"{before} {chance.choice(others)}".strip()
