"""This time against last time."""

from __future__ import annotations

from services.interview.interviewer.statements import named, statement
from services.interview.reports.report import Change, Progress, Report

SAME = 3.0
"""Two interviews that differ by less are about the same: other questions move scores as much."""
NOTABLE = 8.0
"""A dimension that changed by so much is named."""


def compare_reports(before: Report, now: Report, language: str) -> Progress | None:
    """What changed since an earlier interview.

    None where either has no score, or where they scored different things: an interview and
    practice in speaking have nothing to compare.
    """
    if before.overall_score is None or now.overall_score is None:
        return None
    earlier = {dimension.name: dimension.score for dimension in before.dimensions}
    if earlier and earlier.keys().isdisjoint(dimension.name for dimension in now.dimensions):
        return None
    changes = [Change("", before.overall_score, now.overall_score)]
    changes += [
        Change(dimension.name, earlier[dimension.name], dimension.score)
        for dimension in now.dimensions
        if dimension.name in earlier
    ]
    return Progress(before.interview_id, tuple(changes), _statements(changes, language))


def _statements(changes: list[Change], language: str) -> tuple[str, ...]:
    whole, parts = changes[0], changes[1:]
    by = whole.now - whole.before
    key = "same" if abs(by) < SAME else "better" if by > 0 else "worse"
    told = [statement(language, key, before=whole.before, now=whole.now, by=abs(by))]
    if parts:
        gained = max(parts, key=lambda change: change.now - change.before)
        lost = min(parts, key=lambda change: change.now - change.before)
        for change, key, notable in (
            (gained, "most_gained", gained.now - gained.before >= NOTABLE),
            (lost, "most_lost", lost.before - lost.now >= NOTABLE),
        ):
            if notable:
                name = named(language, change.name)
                values = {"before": change.before, "now": change.now}
                told.append(_capital(statement(language, key, name=name, **values)))
    return tuple(told)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
