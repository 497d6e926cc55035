"""Reports as messages of the contract."""

from __future__ import annotations

from viva.interview.v1 import question_pb2, report_pb2

from services.interview.reports.report import (
    Correction,
    DeliveryFigures,
    DimensionScore,
    Evidence,
    KeyPointResult,
    Progress,
    QuestionResult,
    Report,
    StoryShares,
)
from services.runtime.stats import duration


def report(made: Report) -> report_pb2.Report:
    """A report."""
    return report_pb2.Report(
        interview_id=made.interview_id,
        overall_score=made.overall_score,
        dimensions=[_dimension(dimension) for dimension in made.dimensions],
        questions=[_result(result) for result in made.questions],
        strengths=made.strengths,
        weaknesses=made.weaknesses,
        suggestions=made.suggestions,
        basis=report_pb2.ScoringBasis.ValueType(made.basis),
        summary=made.summary,
        duration=duration(made.duration),
        progress=None if made.progress is None else _progress(made.progress),
    )


def _evidence(evidence: Evidence) -> report_pb2.Evidence:
    return report_pb2.Evidence(
        turn_id=evidence.turn_id,
        start=duration(evidence.start),
        end=duration(evidence.end),
        quote=evidence.quote,
    )


def _dimension(dimension: DimensionScore) -> report_pb2.DimensionScore:
    return report_pb2.DimensionScore(
        name=dimension.name,
        score=dimension.score,
        rationale=dimension.rationale,
        evidence=[_evidence(evidence) for evidence in dimension.evidence],
        level=dimension.level,
    )


def _key_point(point: KeyPointResult) -> report_pb2.KeyPointResult:
    return report_pb2.KeyPointResult(
        key_point=point.key_point,
        coverage=point.coverage,
        covered=point.covered,
        evidence=_evidence(point.evidence) if point.evidence else None,
        denied=point.denied,
        certain=point.certain,
    )


def _result(result: QuestionResult) -> report_pb2.QuestionResult:
    return report_pb2.QuestionResult(
        question_id=result.question_id,
        round=result.round,
        question=result.question,
        category=question_pb2.QuestionCategory.ValueType(result.category),
        score=None if result.declined else result.score,
        key_points=[_key_point(point) for point in result.key_points],
        dimensions=[_dimension(dimension) for dimension in result.dimensions],
        turn_ids=result.turn_ids,
        basis=report_pb2.ScoringBasis.ValueType(result.basis),
        story=None if result.story is None else _story(result.story),
        delivery=None if result.delivery is None else _delivery(result.delivery),
        corrections=[_correction(correction) for correction in result.corrections],
        declined=result.declined,
        scored_letters=result.scored_letters or None,
    )


def _correction(correction: Correction) -> report_pb2.Correction:
    return report_pb2.Correction(
        said=correction.said,
        better=correction.better,
        reason=correction.reason,
        evidence=_evidence(correction.evidence),
    )


def _story(story: StoryShares) -> report_pb2.StoryShares:
    return report_pb2.StoryShares(
        situation=story.situation, task=story.task, action=story.action, result=story.result
    )


def _delivery(delivery: DeliveryFigures) -> report_pb2.DeliveryFigures:
    return report_pb2.DeliveryFigures(
        words=delivery.words,
        words_per_minute=delivery.words_per_minute,
        fillers=delivery.fillers,
        pauses=delivery.pauses,
        longest_pause=duration(delivery.longest_pause),
        from_sound=delivery.from_sound,
    )


def _progress(progress: Progress) -> report_pb2.Progress:
    return report_pb2.Progress(
        interview_id=progress.interview_id,
        changes=[
            report_pb2.ScoreChange(name=each.name, before=each.before, now=each.now)
            for each in progress.changes
        ],
        statements=progress.statements,
    )
