"""Values of the record as JSON: what a database keeps of what it need not look into."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from services.interview.events import LASTING, Event, ReportReady
from services.interview.record import Failure, InterviewSettings, SpokenWord
from services.interview.reports.report import Report

SETTINGS = TypeAdapter(InterviewSettings)
WORDS = TypeAdapter(tuple[SpokenWord, ...])
FAILURE = TypeAdapter(Failure)
REPORT = TypeAdapter(Report)
PLACES = TypeAdapter(tuple[tuple[float, float], ...])

_EVENTS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in LASTING}


def event_to_json(event: Event) -> tuple[str, str]:
    """The kind of an event that lasts, and its content."""
    kind = type(event).__name__
    if isinstance(event, ReportReady):  # The report is kept once, as such.
        return kind, "null"
    return kind, _EVENTS[kind].dump_json(event).decode()


def event_from_json(kind: str, content: str, report: Report | None) -> Event | None:
    """What `event_to_json` gave; None for what is not known any more."""
    if kind == ReportReady.__name__:
        return ReportReady(report) if report is not None else None
    known = _EVENTS.get(kind)
    event: Event | None = None if known is None else known.validate_json(content)
    return event
