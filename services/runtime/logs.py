"""Logs are events with fields, one JSON object a line. A user's words never belong in one."""

from __future__ import annotations

import json
import logging
import sys
import time

from services.runtime.request import current_request


class _JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "service": self._service,
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(service: str, level: str) -> None:
    """Sends every log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def log(logger: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Logs an event; the current call's request id and method come with it."""
    if not logger.isEnabledFor(level):
        return
    request = current_request()
    if request.method:
        fields = {"request_id": request.id, "method": request.method, **fields}
    logger.log(level, event, extra={"fields": fields})
