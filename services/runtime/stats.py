"""`viva.serving.v1.Stats` and priorities, between wire and scheduler."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from viva.serving.v1 import serving_pb2

from services.runtime.batching import Priority
from services.runtime.request import current_request


def duration(seconds: float) -> Duration:
    """A protobuf Duration, to the microsecond."""
    message = Duration()
    message.FromMicroseconds(round(seconds * 1_000_000))
    return message


def seconds(message: Duration) -> float:
    """The seconds of a protobuf Duration."""
    return message.seconds + message.nanos / 1e9


def priority(value: serving_pb2.Priority.ValueType) -> Priority:
    """The scheduler's class of a contract's priority; unspecified or unknown is interactive."""
    known = serving_pb2.Priority.DESCRIPTOR.values_by_number.get(value)
    name = known.name.removeprefix("PRIORITY_") if known else ""
    return Priority.__members__.get(name, Priority.INTERACTIVE)


def stats(
    model: str, *, queue_time: float = 0.0, compute_time: float = 0.0, batch_size: int = 0
) -> serving_pb2.Stats:
    """The Stats of the call being served; times in seconds."""
    return serving_pb2.Stats(
        queue_time=duration(queue_time),
        compute_time=duration(compute_time),
        batch_size=batch_size or None,
        model=model,
        request_id=current_request().id,
    )
