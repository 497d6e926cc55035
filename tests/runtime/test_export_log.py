"""A collector that is not there: told at once, now and then, and when it is back."""

from __future__ import annotations

import logging

import pytest

from services.runtime.export_log import ExportLog


def test_a_failure_is_told_once_a_minute_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    log = ExportLog(lambda: now)

    def failure() -> logging.LogRecord:
        name = "opentelemetry.exporter.otlp.proto.grpc.exporter"
        return logging.LogRecord(name, logging.ERROR, "", 0, "export failed", None, None)

    assert log.filter(failure())
    assert [log.filter(failure()) for _ in range(20)] == [False] * 20
    now += 60
    later = failure()
    assert log.filter(later)
    assert later.__dict__["fields"] == {"failures_since": 20}
    with caplog.at_level(logging.INFO):
        log.worked()
        log.worked()
    assert [record.message for record in caplog.records] == ["traces are exported again"]
    assert log.filter(failure())


def test_what_others_log_passes() -> None:
    log = ExportLog(lambda: 0.0)
    other = logging.LogRecord("services", logging.ERROR, "", 0, "failed", None, None)
    assert [log.filter(other) for _ in range(3)] == [True] * 3
