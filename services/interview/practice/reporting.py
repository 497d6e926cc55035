"""The report of practice in speaking: what to say otherwise, what went well, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.interview.interviewer.comparing import compare_reports
from services.interview.practice.skills import Skill
from services.interview.practice.vocabulary import Choice, vocabulary
from services.interview.record import Interview, Speaker
from services.interview.reports.report import Basis, DimensionScore, QuestionResult, Report

LANGUAGE = "en"
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
    Skill.GRAMMAR: "Your grammar was sound",
    Skill.VOCABULARY: "You used many different words",
}


def compose(
    interview: Interview, topics: Sequence[QuestionResult], previous: Report | None = None
) -> Report:
    """The report of practice with these results; pure."""
    dimensions = _dimensions(topics)
    overall = sum(topic.score for topic in topics) / len(topics) if topics else None
    report = Report(
        interview_id=interview.id,
        overall_score=overall,
        dimensions=dimensions,
        questions=tuple(topics),
        strengths=tuple(
            f"{_WELL[Skill(each.name)]} ({each.score:.0f}): {each.rationale}"
            for each in dimensions
            if each.score >= STRONG
        ),
        weaknesses=_corrected(topics),
        suggestions=(*_varied(interview), *_advice(dimensions)),
        basis=Basis.SPEECH,
        summary=_summary(interview, topics, dimensions),
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
    return tuple(told[:MOST_CORRECTED])


def _varied(interview: Interview) -> list[str]:
    said = [turn for turn in interview.turns if turn.speaker is Speaker.CANDIDATE]
    return [_variation(choice) for choice in vocabulary(said).choices[:MOST_CHOICES]]


def _variation(choice: Choice) -> str:
    return f"Instead of “{choice.said}” try: {choice.better}."


def _advice(dimensions: Sequence[DimensionScore]) -> list[str]:
    weak = sorted(dimensions, key=lambda each: each.score)
    return [_ADVICE[Skill(each.name)] for each in weak if each.score < STRONG]


def _summary(
    interview: Interview, topics: Sequence[QuestionResult], dimensions: Sequence[DimensionScore]
) -> str:
    rounds = interview.settings.rounds
    if not topics:
        return f"You spoke about none of the {rounds} topics, so there is nothing to report."
    mistakes = sum(len(topic.corrections) for topic in topics)
    parts = [f"You spoke about {len(topics)} of {rounds} topics."]
    if dimensions:
        best = max(dimensions, key=lambda each: each.score)
        worst = min(dimensions, key=lambda each: each.score)
        parts.append(f"Your best side was {best.name} ({best.score:.0f} of 100).")
        if worst.name != best.name and worst.score < STRONG:
            parts.append(f"There is most to gain in {worst.name} ({worst.score:.0f}).")
    if mistakes:
        parts.append(
            "One phrase is better said otherwise."
            if mistakes == 1
            else f"{mistakes} phrases are better said otherwise."
        )
    return " ".join(parts)
