"""The text of an answer so far as a recogniser would write it: never quite what was said.

Whisper leaves most fillers and restarts out, sometimes misses the last word, and ends what it heard
with a full stop, with dots or with nothing, whether or not the sentence was over. A third of
the performances carry its real words beside (`table.Row.heard`).
"""

from __future__ import annotations

import re

import numpy as np

from services.cli.bench.endpointing.answers import Answer

_FILLER = re.compile(r"\b(?:um|uh|hmm|er),? ?|嗯[，,]?", re.IGNORECASE)
_RESTART = re.compile(r"\b(\w+) \1\b", re.IGNORECASE)
_MARKS = ".?!,;:…。？！，、；："
_FINAL = ".?!。？！"
FILLERS_LEFT_OUT = 0.7
RESTARTS_LEFT_OUT = 0.6
LAST_WORD_MISSED = 0.03
STOP_AFTER_SENTENCE = 0.85
STOP_AFTER_PART, DOTS_AFTER_PART = 0.35, 0.3


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
    if chance.random() < LAST_WORD_MISSED:
        text = _without_last_word(text)
    chinese = text[-1:] > "\u2e80"
    stop, kind = ("。" if chinese else "."), chance.random()
    if finished:
        return text + (stop if kind < STOP_AFTER_SENTENCE else "")
    if kind < STOP_AFTER_PART:
        return text + stop
    return text + ("..." if kind < STOP_AFTER_PART + DOTS_AFTER_PART else "")


def _without_last_word(text: str) -> str:
    if text[-1:] > "\u2e80":
        return text[:-1]
    return text.rpartition(" ")[0].rstrip(_MARKS)
