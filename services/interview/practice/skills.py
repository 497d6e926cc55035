"""Fluency, grammar and vocabulary of what was said on a topic, 0 to 100, each with its evidence.

A measure between two anchors lies between their levels; level 1 is 0, level 5 is 100, as in the
rubric of interviews. The anchors are set by hand: they order speakers, they certify nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise

from services.interview.interviewer.analysing import figures
from services.interview.interviewer.foreign import LEAST_WORDS, OTHER, foreign
from services.interview.interviewer.rubric import Scale, nearest, score
from services.interview.interviewer.statements import languages
from services.interview.interviewer.words import tokens
from services.interview.practice.corrections import corrections
from services.interview.practice.vocabulary import Vocabulary, vocabulary
from services.interview.questions.bank import Question
from services.interview.record import Turn
from services.interview.reports.delivery import Delivery, measure
from services.interview.reports.report import (
    Basis,
    Correction,
    DimensionScore,
    Evidence,
    QuestionResult,
)
from services.interview.reports.sound import Sound


class Skill(StrEnum):
    """What is scored in practice."""

    FLUENCY = "fluency"
    GRAMMAR = "grammar"
    VOCABULARY = "vocabulary"


RIGHT = Scale((-14.0, -9.0, -5.0, -2.0, -0.5))
"""Mistakes found in 100 words, negative so that the scale rises."""
DIVERSITY = Scale((0.55, 0.63, 0.70, 0.76, 0.82))
FULL_LENGTH = 40
"""Words; what is shorter shows that much less of grammar and vocabulary."""
MOST_LISTED = 100
"""Corrections of a topic that are kept; nobody reads more."""
LANGUAGE = "en"
MOST_WITHOUT_VOWEL = 0.3
"""With a larger share of words without a vowel keys were pressed and nothing written."""
_VOWEL = re.compile("[aeiouy]")
REPEAT_COST = 3.0
"""What a word said twice in a row takes off fluency, for each in 50 words."""
SHOWN = 4
"""Places that are cited for a score."""


def practised(
    round_number: int,
    question: Question,
    asked: str,
    turns: Sequence[Turn],
    sounds: Sequence[Sound | None] = (),
) -> QuestionResult:
    """How a topic was spoken about.

    Args:
        round_number: From 1.
        question: The topic.
        asked: How it was asked.
        turns: What the learner said, at least one turn.
        sounds: The recording of each turn, where there is one.
    """
    said = " ".join(turn.text for turn in turns)
    elsewhere = foreign(said, question.language) or (OTHER if _pressed(said) else None)
    # In another language nothing was practised, and no mistake of this one was made.
    mistakes = () if elsewhere is not None else corrections(turns)
    words = vocabulary(turns)
    delivery = measure([turn.words for turn in turns], sounds)
    dimensions = (
        *((_fluency(delivery, turns),) if delivery is not None else ()),
        _grammar(mistakes, words, turns),
        _vocabulary(words, turns),
    )
    if elsewhere is not None:
        why = f"{spoken(elsewhere)}, so there is nothing to judge."
        dimensions = tuple(replace(each, score=0.0, level=1, rationale=why) for each in dimensions)
    return QuestionResult(
        question_id=question.id,
        round=round_number,
        question=asked,
        category=question.category,
        score=sum(each.score for each in dimensions) / len(dimensions),
        key_points=(),
        dimensions=dimensions,
        turn_ids=tuple(turn.id for turn in turns),
        basis=Basis.SPEECH,
        delivery=None if delivery is None else figures(delivery),
        spoken_in=elsewhere or "",
        corrections=mistakes[:MOST_LISTED],
    )


def spoken(language: str) -> str:
    """What is said of a topic on which not English was spoken."""
    if language == OTHER:
        return "What you said was not recognised as English"
    return f"You spoke {languages(LANGUAGE, language)['spoken']}, not English"


def _pressed(text: str) -> bool:
    """Whether a text of some length is keys that were pressed."""
    words = [word for word in tokens(text) if word.isascii() and word.isalpha()]
    mute = sum(_VOWEL.search(word) is None for word in words)
    return len(words) >= LEAST_WORDS and mute > MOST_WITHOUT_VOWEL * len(words)


def _whole(turns: Sequence[Turn]) -> tuple[Evidence, ...]:
    return tuple(Evidence(turn.id, turn.start, turn.end, turn.text) for turn in turns)


def _dimension(
    skill: Skill, measured: float, told: str, evidence: Sequence[Evidence], turns: Sequence[Turn]
) -> DimensionScore:
    shown = tuple(evidence[:SHOWN]) or _whole(turns)
    return DimensionScore(skill, measured, told, shown, nearest(measured))


def _fluency(delivery: Delivery, turns: Sequence[Turn]) -> DimensionScore:
    repeats = _repeats(turns)
    off = REPEAT_COST * len(repeats) * 50 / max(50, delivery.words)
    halts = [
        *(Evidence(_at(turns, w.start), w.start, w.end, w.text) for w in delivery.fillers),
        *(Evidence(_at(turns, a), a, b, "(pause)") for a, b in delivery.pauses),
        *repeats,
    ]
    halts.sort(key=lambda each: each.start)
    told = (
        f"{delivery.words_per_minute:.0f} words per minute,"
        f" {counted(len(delivery.fillers), 'filler')},"
        f" {counted(len(delivery.pauses), 'long pause')},"
        f" {counted(len(repeats), 'word')} said twice."
    )
    return _dimension(Skill.FLUENCY, max(0.0, delivery.fluency - off), told, halts, turns)


def counted(count: int, what: str) -> str:
    """So many of something, as in "1 word"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _repeats(turns: Sequence[Turn]) -> list[Evidence]:
    """Words that were said twice in a row: "I I think"."""
    found = []
    for turn in turns:
        for one, other in pairwise(turn.words):
            first, second = (re.sub(r"[^a-z']", "", word.text.lower()) for word in (one, other))
            # What stands before a comma is meant: "no, no", "very, very".
            if first and first == second and not one.text.rstrip().endswith((",", ".", "!", "?")):
                said = f"{one.text.strip()} {other.text.strip()}"
                found.append(Evidence(turn.id, one.start, other.end, said))
    return found


def _at(turns: Sequence[Turn], moment: float) -> str:
    here = (turn.id for turn in turns if turn.start <= moment <= turn.end)
    return next(here, turns[-1].id)


def _grammar(
    mistakes: Sequence[Correction], words: Vocabulary, turns: Sequence[Turn]
) -> DimensionScore:
    per_hundred = 100 * len(mistakes) / max(FULL_LENGTH, words.words)
    told = f"{counted(len(mistakes), 'mistake')} found in {counted(words.words, 'word')}."
    told += _too_few(words)
    evidence = [mistake.evidence for mistake in mistakes]
    return _dimension(
        Skill.GRAMMAR, score(RIGHT.level(-per_hundred)) * _shown(words), told, evidence, turns
    )


def _vocabulary(words: Vocabulary, turns: Sequence[Turn]) -> DimensionScore:
    told = f"{words.different} different words of {words.words}.{_too_few(words)}"
    if words.choices:
        plain = ", ".join(f"“{choice.said}”" for choice in words.choices[:SHOWN])
        told += f" Could be varied: {plain}."
    evidence = [place for choice in words.choices for place in choice.evidence]
    measured = score(DIVERSITY.level(words.diversity)) * _shown(words)
    return _dimension(Skill.VOCABULARY, measured, told, evidence, turns)


def _too_few(words: Vocabulary) -> str:
    return f" Under {FULL_LENGTH} words show little." if words.words < FULL_LENGTH else ""


def _shown(words: Vocabulary) -> float:
    return min(1.0, words.words / FULL_LENGTH)
