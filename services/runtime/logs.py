"""Logs are events with fields, one JSON object a line. A user's words never belong in one.

So an error is logged as its type and the way it came, never with its message: a message may quote
what somebody said.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Iterator

from opentelemetry import trace

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
            **_call(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            # What a library says of an error goes on with the error's own words on the next line.
            line["event"] = record.getMessage().partition("\n")[0]
            line["stack"] = "".join(_stack(record.exc_info[1]))
        return json.dumps(line, default=str, ensure_ascii=False)


def _call() -> dict[str, str]:
    """The call that a line belongs to; empty outside of one."""
    fields = {}
    request = current_request()
    if request.method:
        fields = {"request_id": request.id, "method": request.method}
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        fields["trace_id"] = trace.format_trace_id(span.trace_id)
        fields["span_id"] = trace.format_span_id(span.span_id)
    return fields


def _stack(error: BaseException) -> Iterator[str]:
    """The types and code lines of an error and of those it came from, the first cause first."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.insert(0, cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    for each in chain:
        yield f"{type(each).__name__}\n"
        yield from traceback.format_tb(each.__traceback__)
        if isinstance(each, BaseExceptionGroup):
            for inner in each.exceptions:
                yield from _stack(inner)


def configure(service: str, level: str) -> None:
    """Sends every log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def log(
    logger: logging.Logger,
    level: int,
    event: str,
    *,
    cause: BaseException | None = None,
    **fields: object,
) -> None:
    """Logs an event; the current call's request id, method and trace come with it.

    Args:
        logger: Whose event it is.
        level: How much it matters.
        event: What happened, always in the same words.
        cause: The error behind it; its type and stack are logged, not its message.
        fields: What else there is to know.
    """
    if not logger.isEnabledFor(level):
        return
    logger.log(level, event, exc_info=cause, extra={"fields": fields})
