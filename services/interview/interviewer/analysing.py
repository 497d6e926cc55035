"""Analysing the answers of one round: points, scores, and the words both rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.interview.clients.seams import DependencyFailed, Embedder
from services.interview.interviewer import rubric
from services.interview.interviewer.coverage import (
    Comparison,
    Point,
    compare,
    compare_words,
)
from services.interview.interviewer.declining import declined, subject
from services.interview.interviewer.foreign import foreign
from services.interview.interviewer.rating import Rating, rate
from services.interview.interviewer.reading import found
from services.interview.interviewer.rubric import Dimension
from services.interview.interviewer.statements import in_another_language
from services.interview.interviewer.structure import Structure, structure
from services.interview.interviewer.wording import Wording, wording
from services.interview.interviewer.words import content_words
from services.interview.questions.bank import Question
from services.interview.record import Category, Turn
from services.interview.reports.delivery import HEARD, Delivery, measure
from services.interview.reports.passages import passages, sentences
from services.interview.reports.report import (
    Basis,
    DeliveryFigures,
    DimensionScore,
    Evidence,
    KeyPointResult,
    QuestionResult,
    StoryShares,
)
from services.interview.reports.sound import Sound
from services.interview.simplified import simplified

WELL_HEARD = 0.7
"""Mean confidence of the recogniser from which what was not understood was not said."""
WELL_ANSWERED = 60.0
"""Who tells it so well, whatever it is about, is not known to have left anything out: of 26 points
of six good answers by another author three that were said in other words had been told as not
mentioned."""
UNRELATED = 0.1
"""Up to this strength nothing in the answer comes near a point."""
SHOWN = 3
"""Fillers, pauses and passages that are cited for a score, each."""


async def analyse(
    embedder: Embedder,
    *,
    round_number: int,
    question: Question,
    asked: str,
    turns: Sequence[Turn],
    sounds: Sequence[Sound | None] = (),
    trade: str | None = None,
    lines: Sequence[str] = (),
) -> tuple[QuestionResult, DependencyFailed | None]:
    """Scores the answers of one round.

    Args:
        embedder: Compares by meaning; if it fails, words are compared.
        round_number: From 1.
        question: The bank's question.
        asked: How it was asked.
        turns: What the candidate said, follow-ups included; at least one turn.
        sounds: The recording of each turn, where there is one.
        trade: The candidate's position, where it is known.
        lines: What the interviewer said before each turn; none where that was `asked`.

    Returns:
        The result, and why meanings were not compared, if they were not.
    """
    about = f"{asked} {subject(question)}"
    before = [*lines, *(asked for _ in turns[len(lines) :])]
    given = [
        place
        for place, (turn, line) in enumerate(zip(turns, before, strict=True))
        if not declined(turn.text, about, line)
    ]
    answers = [turns[place] for place in given]
    if not answers:
        return _not_answered(round_number, question, asked, turns), None
    # Read as the bank is written; shown as it was typed.
    length = sum(len(turn.text) for turn in answers)
    answer = await found(length, lambda: simplified(" ".join(turn.text for turn in answers)))
    said = await found(length, lambda: passages(answers))
    quotes = await found(length, lambda: [simplified(passage.quote) for passage in said])
    failure: DependencyFailed | None = None
    try:
        comparison = await compare(embedder, question, quotes, background=True, trade=trade)
    except DependencyFailed as error:
        failure = error
        comparison = await found(length, lambda: compare_words(question, quotes))
    worded = await found(length, lambda: wording(question, answer))
    told = None
    if question.category is Category.BEHAVIORAL:
        told = await found(length, lambda: structure(sentences(answers), simplified))
    heard = [sounds[place] for place in given if place < len(sounds)]
    spoken = measure([turn.words for turn in answers], heard)
    rating = rate(question, comparison, worded, told, spoken)
    where = _Evidence(said, answers, comparison, told, spoken, question.language)
    # A model that reads both languages compares them all the same.
    compared = any(point.covered or point.denied for point in comparison.points)
    spoken_in = await found(length, lambda: foreign(answer, question.language))
    elsewhere = None if compared else spoken_in
    # What is not read as words was not looked at: nobody knows what it says.
    # And where words alone are compared, what is said in other words is missed more often than not.
    by_meaning = comparison.basis is Basis.RUBRIC_EMBEDDING
    looked_at = by_meaning and spoken_in is None and bool(content_words(answer))
    # Whoever answers well says in other words what nothing came near; and what is told of a trade
    # comes near no point that fits every trade.
    nearing = rating.told < WELL_ANSWERED and not question.own_trade
    certain = looked_at and nearing and _well_heard(answers)
    result = QuestionResult(
        question_id=question.id,
        round=round_number,
        question=asked,
        category=question.category,
        score=0.0 if elsewhere else rating.overall,
        key_points=tuple(_key_point(point, said, certain=certain) for point in comparison.points),
        dimensions=_in_other_language(
            _dimensions(question, rating, comparison, worded, spoken, where), question, elsewhere
        ),
        turn_ids=tuple(turn.id for turn in turns),
        basis=comparison.basis,
        story=None
        if told is None
        else StoryShares(told.situation, told.task, told.action, told.result),
        delivery=None if spoken is None else figures(spoken),
        spoken_in=elsewhere or "",
    )
    return result, failure


def _not_answered(
    round_number: int, question: Question, asked: str, turns: Sequence[Turn]
) -> QuestionResult:
    """The result of a question that was declined: no point is made, and nothing is judged."""
    certain = _well_heard(turns)
    return QuestionResult(
        question_id=question.id,
        round=round_number,
        question=asked,
        category=question.category,
        score=0.0,
        key_points=tuple(
            KeyPointResult(point, 0.0, covered=False, certain=certain)
            for point in question.key_points
        ),
        dimensions=(),
        turn_ids=tuple(turn.id for turn in turns),
        basis=Basis.RUBRIC_LEXICAL,
        declined=True,
    )


def figures(delivery: Delivery) -> DeliveryFigures:
    """The measures of a delivery as a report tells them."""
    return DeliveryFigures(
        words=delivery.words,
        words_per_minute=delivery.words_per_minute,
        fillers=len(delivery.fillers),
        pauses=len(delivery.pauses),
        longest_pause=delivery.longest_pause,
        from_sound=delivery.from_sound,
    )


def _key_point(point: Point, said: Sequence[Evidence], *, certain: bool) -> KeyPointResult:
    shown = point.covered or point.denied
    return KeyPointResult(
        point.text,
        point.strength,
        point.covered,
        said[point.where] if shown else None,
        denied=point.denied,
        certain=point.denied or (not point.covered and certain and point.strength <= UNRELATED),
    )


def _well_heard(turns: Sequence[Turn]) -> bool:
    """Whether what is not in the text was not said: it was typed, or recognised with confidence."""
    known = [w.confidence for turn in turns for w in turn.words if w.confidence is not None]
    if known:
        return sum(known) / len(known) >= WELL_HEARD
    return all(turn.typed for turn in turns)


class _Evidence:
    """Which stretches of the answer each score rests on."""

    def __init__(
        self,
        said: Sequence[Evidence],
        turns: Sequence[Turn],
        comparison: Comparison,
        story: Structure | None,
        delivery: Delivery | None,
        language: str,
    ) -> None:
        self._language = language
        # What was not said shows in the whole answer.
        self.whole = tuple(Evidence(turn.id, turn.start, turn.end, turn.text) for turn in turns)
        self._said = said
        self._turns = [turn for turn in turns if turn.words]
        self._comparison = comparison
        self._story = story
        self._delivery = delivery

    def of(self, dimension: Dimension) -> tuple[Evidence, ...]:
        """The stretches for a dimension; never none."""
        match dimension:
            case Dimension.RELEVANCE:
                return (self._said[self._comparison.nearest],)
            case Dimension.CONTENT:
                points = [p for p in self._comparison.points if p.covered or p.denied]
                return tuple(self._said[p.where] for p in points) or self.whole
            case Dimension.STRUCTURE if self._story is not None:
                return self._story.evidence or self.whole
            case Dimension.DELIVERY if self._delivery is not None:
                return self._delivered(self._delivery) or self.whole
            case _:
                return self.whole

    def _delivered(self, delivery: Delivery) -> tuple[Evidence, ...]:
        fillers = [
            Evidence(self._turn_at(each.start), each.start, each.end, self._named(each.text))
            for each in delivery.fillers[:SHOWN]
        ]
        pauses = [
            Evidence(self._turn_at(start), start, end, _told(self._language, "(pause)", "（停顿）"))
            for start, end in delivery.pauses[:SHOWN]
        ]
        return (*fillers, *pauses)

    def _named(self, filler: str) -> str:
        return _told(self._language, HEARD, "（嗯）") if filler == HEARD else filler

    def _turn_at(self, moment: float) -> str:
        here = (turn.id for turn in self._turns if turn.start <= moment <= turn.end)
        return next(here, self._turns[-1].id)


def _dimensions(
    question: Question,
    rating: Rating,
    comparison: Comparison,
    worded: Wording,
    delivery: Delivery | None,
    where: _Evidence,
) -> tuple[DimensionScore, ...]:
    language = question.language
    made = sum(point.covered for point in comparison.points)
    denied = sum(point.denied for point in comparison.points)
    measured = {
        Dimension.CONTENT: _points_told(language, made, denied, len(comparison.points)),
        Dimension.DEPTH: _told(language, "{} words.", "共{}个词。", worded.words),
    }
    if delivery is not None:
        measured[Dimension.DELIVERY] = _delivery_told(language, delivery)
    return tuple(
        DimensionScore(
            dimension,
            score,
            _joined(
                language, rubric.anchor(dimension, score, language), measured.get(dimension, "")
            ),
            where.of(dimension),
            rubric.nearest(score),
        )
        for dimension, score in rating.dimensions.items()
    )


def _in_other_language(
    dimensions: tuple[DimensionScore, ...], question: Question, spoken: str | None
) -> tuple[DimensionScore, ...]:
    """The scores of an answer: none in another language but for how it was spoken, and why."""
    if spoken is None:
        return dimensions
    why = in_another_language(question.language, spoken)
    return tuple(
        each
        if each.name == Dimension.DELIVERY
        else replace(each, score=0.0, level=1, rationale=why)
        for each in dimensions
    )


def _joined(language: str, one: str, other: str) -> str:
    return one + other if language == "zh" else f"{one} {other}".strip()


def _told(language: str, english: str, chinese: str, *values: object) -> str:
    return (chinese if language == "zh" else english).format(*values)


def _points_told(language: str, made: int, denied: int, points: int) -> str:
    text = _told(language, "{} of {} points recognised", "识别到{}个要点，共{}个", made, points)
    if denied:
        text += _told(language, ", {} denied", "，{}个说法相反", denied)
    return text + _told(language, ".", "。")


def _delivery_told(language: str, delivery: Delivery) -> str:
    return _told(
        language,
        "{:.0f} words per minute, {} fillers, {} long pauses.",
        "每分钟{:.0f}字，口头语{}处，长停顿{}处。",
        delivery.words_per_minute,
        len(delivery.fillers),
        len(delivery.pauses),
    )
