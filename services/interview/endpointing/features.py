"""What the model is shown of a pause: numbers between about -3 and 3, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

from services.interview.endpointing.expectation import Kind, kind, usual_words
from services.interview.endpointing.moment import Asked, Pause
from services.interview.endpointing.wording import Wording, read
from services.interview.record import Phase

_MOST_LOGIT = 4.0
_SHORTEST = -1.5
_LONG_ENOUGH = 0.6
"""Of the usual length: from there on an answer's length says nothing. People differ far more in how
long they speak than the answers that the model was fitted on."""
_SHORT = -1.0
_MARKS = (
    "final_mark",
    "open_mark",
    "filler",
    "dangling",
    "leaning",
    "repeated",
    "thinking",
    "half",
    "fragment",
    "enumerating",
    "enumerated",
    "announcing",
    "declining",
    "closing",
    "concluding",
)

Features = Mapping[str, float]


def features(pause: Pause, asked: Asked) -> Features:
    """What speaks for and against the end of the answer at this pause."""
    wording = read(pause.text, asked.language)
    expected = kind(asked)
    closed = expected in {Kind.CLOSED, Kind.FACT}
    length = _length(wording, asked)
    # Words that leave a sentence open make its length and its sound say little.
    complete = 0.0 if wording.unfinished else 1.0
    values = {"always": 1.0, "complete": complete}
    values["sound"] = 0.0 if pause.sound is None else _logit(pause.sound) / 2
    values |= {mark: float(getattr(wording, mark)) for mark in _MARKS}
    # A word can be all that a closed question asks for.
    told = complete * (not closed)
    values["length"] = length * told
    values["short"] = float(length < _SHORT) * told
    values["sentences"] = math.log1p(wording.sentences) * told
    # Recognisers end nearly everything with a full stop: what it has after a word or two may be the
    # beginning of a sentence.
    values["sentence_words"] = math.log1p(wording.sentence_words) * told
    values["clause_words"] = math.log1p(wording.clause_words) * told
    # One sentence is all there is to say to many a follow-up, and seldom a story.
    values["first"] = told * (wording.sentences <= 1)
    values["follow_up"] = told * (asked.phase is Phase.FOLLOW_UP)
    values["story"] = told * (expected is Kind.STORY)
    values["introduction"] = told * (expected is Kind.INTRODUCTION)
    values["closed"] = float(closed) * complete
    # Yes or no says at once what other answers say in their usual length.
    said = max(wording.sentence_words, Kind.CLOSED.value * wording.yes_no)
    values["closed_words"] = math.log1p(said) * values["closed"]
    values["told"] = float(expected is Kind.STORY and wording.concluding) * complete
    return values


def _length(wording: Wording, asked: Asked) -> float:
    relative = max(0.5, wording.words) / (_LONG_ENOUGH * usual_words(asked))
    return min(0.0, max(_SHORTEST, math.log(relative)))


def _logit(probability: float) -> float:
    bounded = min(1 - 1e-6, max(1e-6, probability))
    return min(_MOST_LOGIT, max(-_MOST_LOGIT, math.log(bounded / (1 - bounded))))
