"""The report of practice in speaking: what to say otherwise, what went well, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.interview.interviewer.comparing import compare_reports
from services.interview.interviewer.words import tokens
from services.interview.practice.skills import (
    FULL_LENGTH,
    LANGUAGE,
    MOST_LISTED,
    Skill,
    counted,
    spoken,
)
from services.interview.practice.vocabulary import Choice, vocabulary
from services.interview.record import Interview, Turn
from services.interview.reports.report import Basis, DimensionScore, QuestionResult, Report

STRONG, WEAK = 70.0, 50.0
MOST_CORRECTED = 8
"""Corrections that are told in sentences; all are in the results."""
MOST_CHOICES = 3

_ADVICE = {
    Skill.FLUENCY: "Speak about one topic for two minutes every day, without stopping to correct"
    " yourself; a short silence is better than a filler.",
    Skill.GRAMMAR: "Say each corrected sentence aloud three times in its new form, then use it in a"
    " sentence of your own.",
    Skill.VOCABULARY: "Tell the same story again and replace the plain words; write down five words"
    " you were missing.",
}
_WELL = {
    Skill.FLUENCY: "You spoke fluently",
    Skill.GRAMMAR: "Your grammar had few of the common mistakes",
    Skill.VOCABULARY: "You used many different words",
}


def compose(
    interview: Interview, topics: Sequence[QuestionResult], previous: Report | None = None
) -> Report:
    """The report of practice with these results; pure."""
    judged = _judged(interview, topics)
    shown = _dimensions(judged)
    overall = sum(topic.score for topic in topics) / len(topics) if topics else None
    report = Report(
        interview_id=interview.id,
        overall_score=overall,
        dimensions=_dimensions(topics),
        questions=tuple(topics),
        strengths=tuple(
            f"{_WELL[Skill(each.name)]} ({each.score:.0f}): {each.rationale}"
            for each in shown
            if each.score >= STRONG
        ),
        weaknesses=(*_elsewhere(topics), *_corrected(topics)),
        suggestions=(*_varied(interview, topics), *_advice(interview, topics, judged)),
        basis=Basis.SPEECH,
        summary=" ".join((_summary(interview, topics, shown), *_beginnings(topics))),
        duration=max((turn.end for turn in interview.turns), default=0.0),
    )
    if previous is None:
        return report
    return replace(report, progress=compare_reports(previous, report, LANGUAGE))


def _dimensions(topics: Sequence[QuestionResult]) -> tuple[DimensionScore, ...]:
    """Each skill over all topics; it tells of the topic where there is most to gain."""
    found = []
    for skill in Skill:
        scores = [each for topic in topics for each in topic.dimensions if each.name == skill]
        if not scores:
            continue
        mean = sum(each.score for each in scores) / len(scores)
        worst = min(scores, key=lambda each: each.score)
        found.append(
            DimensionScore(skill, mean, worst.rationale, worst.evidence, round(mean / 25) + 1)
        )
    return tuple(found)


def _corrected(topics: Sequence[QuestionResult]) -> tuple[str, ...]:
    told = [
        f"Topic {topic.round}: you said “{each.said}”; better: “{each.better}”. {each.reason}"
        for topic in topics
        for each in topic.corrections
    ]
    return tuple(dict.fromkeys(told))[:MOST_CORRECTED]


def _elsewhere(topics: Sequence[QuestionResult]) -> tuple[str, ...]:
    return tuple(
        f"Topic {topic.round}: {_small(spoken(topic.spoken_in))}."
        for topic in topics
        if topic.spoken_in
    )


def _beginnings(topics: Sequence[QuestionResult]) -> list[str]:
    return [
        f"Topic {topic.round}: only the first {topic.scored_letters:,} letters were looked at."
        for topic in topics
        if topic.scored_letters
    ]


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _said(interview: Interview, topics: Sequence[QuestionResult]) -> list[Turn]:
    """What the learner said on some topics."""
    wanted = {name for topic in topics for name in topic.turn_ids}
    return [turn for turn in interview.turns if turn.id in wanted]


def _varied(interview: Interview, topics: Sequence[QuestionResult]) -> list[str]:
    said = _said(interview, [topic for topic in topics if not topic.spoken_in])
    return [_variation(choice) for choice in vocabulary(said).choices[:MOST_CHOICES]]


def _variation(choice: Choice) -> str:
    return f"Instead of “{choice.said}” try: {choice.better}."


def _length(interview: Interview, topic: QuestionResult) -> int:
    return sum(len(tokens(turn.text)) for turn in _said(interview, [topic]))


def _judged(interview: Interview, topics: Sequence[QuestionResult]) -> tuple[QuestionResult, ...]:
    """The topics that show what is strong and weak: English was spoken, and enough of it."""
    return tuple(
        topic
        for topic in topics
        if not topic.spoken_in and _length(interview, topic) >= FULL_LENGTH
    )


def _advice(
    interview: Interview, topics: Sequence[QuestionResult], judged: Sequence[QuestionResult]
) -> list[str]:
    told = ["Speak English on every topic."] if any(topic.spoken_in for topic in topics) else []
    for topic in topics:
        if not topic.spoken_in and topic not in judged:
            words = _length(interview, topic)
            told.append(
                f"Say more on topic {topic.round}: {counted(words, 'word')}"
                f" {'is' if words == 1 else 'are'} too few to judge by."
            )
    weak = {each.name for each in _dimensions(judged) if each.score < STRONG}
    # A sentence that was corrected can be said again, however little else was said.
    corrected = any(topic.corrections for topic in topics)
    weak = weak - {Skill.GRAMMAR} | ({Skill.GRAMMAR} if corrected else set())
    order = sorted(_dimensions(judged or topics), key=lambda each: each.score)
    return told + [_ADVICE[Skill(each.name)] for each in order if each.name in weak]


def _summary(
    interview: Interview, topics: Sequence[QuestionResult], dimensions: Sequence[DimensionScore]
) -> str:
    rounds = interview.settings.rounds
    if not topics:
        return f"You spoke about none of the {rounds} topics, so there is nothing to report."
    parts = [f"You spoke about {len(topics)} of {counted(rounds, 'topic')}."]
    heard = [topic for topic in topics if not topic.spoken_in]
    if len(heard) < len(topics):
        where = counted(len(topics) - len(heard), "topic")
        said = dict.fromkeys(_small(spoken(topic.spoken_in)) for topic in topics if topic.spoken_in)
        parts.append(f"On {where} {', and '.join(said)}.")
    if dimensions:
        parts += _sides(dimensions)
    mistakes = sum(len(topic.corrections) for topic in heard)
    if mistakes:
        least = "At least " if any(len(t.corrections) == MOST_LISTED for t in heard) else ""
        parts.append(
            "One phrase is better said otherwise."
            if mistakes == 1
            else f"{least}{mistakes} phrases are better said otherwise."
        )
    return " ".join(parts)


def _sides(dimensions: Sequence[DimensionScore]) -> list[str]:
    best = max(dimensions, key=lambda each: each.score)
    worst = min(dimensions, key=lambda each: each.score)
    told = []
    if best.score >= WEAK:
        told.append(f"Your best side was {best.name} ({best.score:.0f} of 100).")
        if worst.name != best.name and worst.score < STRONG:
            told.append(f"There is most to gain in {worst.name} ({worst.score:.0f}).")
    return told
