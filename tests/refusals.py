"""What a refusal says beside its code: its details, the fields that it blames, and its reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

MessageT = TypeVar("MessageT", bound=Message)


def status_of(error: Any) -> status_pb2.Status:
    """The whole status that a call ended with."""
    status = rpc_status.from_call(error)
    assert status is not None
    return status


def details(status: status_pb2.Status, kind: type[MessageT]) -> Sequence[MessageT]:
    """A status's details of a kind."""
    found = []
    for packed in status.details:
        detail = kind()
        if packed.Unpack(detail):
            found.append(detail)
    return found


def blamed(status: status_pb2.Status) -> list[str]:
    """The fields that a status of a call, or of a part of one, blames."""
    bad = details(status, error_details_pb2.BadRequest)
    info = details(status, error_details_pb2.ErrorInfo)
    return [
        *(violation.field for detail in bad for violation in detail.field_violations),
        *(detail.metadata["field"] for detail in info if "field" in detail.metadata),
    ]


def reason_of(status: status_pb2.Status) -> str:
    """The stable word of a status; empty where it has none."""
    words = [detail.reason for detail in details(status, error_details_pb2.ErrorInfo)]
    assert len(words) <= 1, words
    return "".join(words)


def fields(error: Any) -> list[str]:
    """The fields that a refusal blames."""
    return blamed(status_of(error))


def reason(error: Any) -> str:
    """The stable word of a refusal."""
    return reason_of(status_of(error))
