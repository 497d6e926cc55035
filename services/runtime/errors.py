"""The errors a caller can meet, and their one mapping to `google.rpc.Status`.

Domain and engine code raises these; the server's interceptor turns them into statuses.

    ServiceError
    ├── InvalidFields        INVALID_ARGUMENT     BadRequest naming each field
    │   └── InvalidField
    ├── NotFound             NOT_FOUND            ErrorInfo
    ├── FailedPrecondition   FAILED_PRECONDITION  ErrorInfo
    ├── Aborted              ABORTED              ErrorInfo
    ├── AlreadyExists        ALREADY_EXISTS       ErrorInfo
    ├── Unauthenticated      UNAUTHENTICATED      ErrorInfo
    ├── PermissionDenied     PERMISSION_DENIED    ErrorInfo
    ├── QuotaExhausted       RESOURCE_EXHAUSTED   QuotaFailure
    ├── Overloaded           RESOURCE_EXHAUSTED   RetryInfo
    │   ├── Busy
    │   └── OutOfMemory
    ├── TooLarge             FAILED_PRECONDITION  ErrorInfo
    ├── Unavailable          UNAVAILABLE          RetryInfo
    ├── Draining             UNAVAILABLE          RetryInfo
    ├── DeadlineExpired      DEADLINE_EXCEEDED    ErrorInfo
    │   └── DeadlineTooShort
    └── Relayed              as another server said

    ResourceMissing          a start-up error; no caller ever meets it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "viva.dev"
"""The `ErrorInfo.domain` of every error of the mesh."""


_MOST_VIOLATIONS = 16


class ServiceError(Exception):
    """An error a caller is told about.

    Attributes:
        code: The gRPC status code.
        reason: A stable word for programs, `ErrorInfo.reason`.
    """

    code = grpc.StatusCode.UNKNOWN
    reason = "UNKNOWN"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def details(self) -> Sequence[Message]:
        """The `google.rpc` detail messages of the status."""
        return [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)]


class InvalidFields(ServiceError):
    """Fields of the request are refused."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        """Takes pairs of a field's dotted path and what is wrong with it; tells the first few.

        A status travels in headers, and clients refuse headers of more than 8 KiB: told in full,
        hundreds of violations would reach the caller as RESOURCE_EXHAUSTED.
        """
        told = violations[:_MOST_VIOLATIONS]
        parts = [f"{field}: {what}" if field else what for field, what in told]
        if len(violations) > len(told):
            parts.append(f"and {len(violations) - len(told)} more")
        super().__init__("; ".join(parts))
        self.violations = tuple(told)

    def details(self) -> Sequence[Message]:
        """A BadRequest with one violation a field."""
        violation = error_details_pb2.BadRequest.FieldViolation
        return [
            *super().details(),
            error_details_pb2.BadRequest(
                field_violations=[
                    violation(field=field, description=what) for field, what in self.violations
                ]
            ),
        ]


class InvalidField(InvalidFields):
    """A field of the request is refused."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__([(field, description)])


class NotFound(ServiceError):
    """What the request names does not exist, or not for this caller."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"

    def __init__(self, kind: str, name: str, field: str | None = None) -> None:
        """Takes what was looked for ("voice"), its name, and the field that named it."""
        super().__init__(f"{field}: no {kind} {name!r}" if field else f"no {kind} {name!r}")
        self.kind = kind
        self.name = name
        self.field = field

    def details(self) -> Sequence[Message]:
        """An ErrorInfo with the kind, the name and the field."""
        metadata = {"kind": self.kind, "name": self.name}
        if self.field:
            metadata["field"] = self.field
        return [
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=metadata),
            error_details_pb2.ResourceInfo(resource_type=self.kind, resource_name=self.name),
        ]


class FailedPrecondition(ServiceError):
    """The request is right, but not now."""

    code = grpc.StatusCode.FAILED_PRECONDITION

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Aborted(ServiceError):
    """The call was given up in favour of another."""

    code = grpc.StatusCode.ABORTED

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AlreadyExists(ServiceError):
    """What is to be made is there, and another's."""

    code = grpc.StatusCode.ALREADY_EXISTS

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unauthenticated(ServiceError):
    """Nobody knows who calls: there is no proof of it, or it is good no more."""

    code = grpc.StatusCode.UNAUTHENTICATED

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PermissionDenied(ServiceError):
    """It is known who calls, and they may not."""

    code = grpc.StatusCode.PERMISSION_DENIED

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class QuotaExhausted(ServiceError):
    """The caller has used all they may for now."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXHAUSTED"

    def __init__(self, subject: str, message: str, metadata: Mapping[str, str]) -> None:
        """Takes whose quota it is ("user:…"), and what programs may want to know of it."""
        super().__init__(message)
        self.subject = subject
        self.metadata = dict(metadata)

    def details(self) -> Sequence[Message]:
        """An ErrorInfo and a QuotaFailure."""
        violation = error_details_pb2.QuotaFailure.Violation
        return [
            error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata),
            error_details_pb2.QuotaFailure(
                violations=[violation(subject=self.subject, description=self.message)]
            ),
        ]


class _Retryable(ServiceError):
    def __init__(self, message: str, retry_after: float = 1.0) -> None:
        """Takes the seconds after which a retry can help."""
        super().__init__(message)
        self.retry_after = retry_after

    def details(self) -> Sequence[Message]:
        """An ErrorInfo and a RetryInfo."""
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(1, round(self.retry_after * 1000)))
        return [*super().details(), error_details_pb2.RetryInfo(retry_delay=delay)]


class Overloaded(_Retryable):
    """The work cannot be done in time; it was refused before any of it was done."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"


class Busy(Overloaded):
    """As much of the same is under way as may be at once; ask again when some of it is over."""

    reason = "BUSY"


class OutOfMemory(Overloaded):
    """The device has too little memory for this and what it ran with."""

    def __init__(self, name: str) -> None:
        """Takes who was to do it."""
        super().__init__(f"{name} is out of device memory")


class TooLarge(FailedPrecondition):
    """One item is more than the device has memory for, alone: asking again cannot help."""

    def __init__(self, name: str) -> None:
        """Takes who was to do it."""
        super().__init__(
            "TOO_LARGE_FOR_DEVICE",
            f"{name} has not enough device memory for this; ask for less at once",
        )


class Unavailable(_Retryable):
    """A part this request needs is not there for the moment."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class Draining(_Retryable):
    """The server stops: it takes no new call, and ends streams where nothing is cut; call again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "DRAINING"

    def __init__(self) -> None:
        super().__init__("the server is stopping; call again", retry_after=0.1)


class DeadlineExpired(ServiceError):
    """The deadline passed before the work was done; nothing more is done for it."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXPIRED"

    def __init__(self, message: str = "the deadline passed before the work was done") -> None:
        super().__init__(message)


class DeadlineTooShort(DeadlineExpired):
    """The deadline is too short for this request however idle the server is; nothing was done."""

    reason = "DEADLINE_TOO_SHORT"

    def __init__(self, needed: float, left: float) -> None:
        """Takes the seconds that the request needs at best, and those that its deadline leaves."""
        super().__init__(
            f"the deadline is too short: this request takes {needed:.3g} s, it leaves {left:.3g} s"
        )
        self.needed = needed
        self.left = left

    def details(self) -> Sequence[Message]:
        """An ErrorInfo with the seconds needed."""
        metadata = {"needed_seconds": f"{self.needed:.3f}"}
        return [error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=metadata)]


class Relayed(ServiceError):
    """What another server of the same service said to a call that was passed on to it."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        super().__init__(error.details() or "")
        self.code = error.code()
        self._details = tuple(_details(error))
        info = error_details_pb2.ErrorInfo()
        if any(detail.Unpack(info) for detail in self._details):
            self.reason = info.reason

    def details(self) -> Sequence[Message]:
        """The same."""
        return self._details


class ResourceMissing(Exception):
    """Something a server needs to start is not there.

    The process prints one line, what is missing and what to do, and exits with status 2.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def service_error(error: BaseException) -> ServiceError | None:
    """The error to tell: itself, or the first one in a task group's collection; None for a bug."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if known := service_error(inner):
                return known
    return None


def to_status(error: ServiceError) -> status_pb2.Status:
    """The `google.rpc.Status` of an error."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    for detail in error.details():
        packed = any_pb2.Any()
        if isinstance(detail, any_pb2.Any):
            packed = detail
        else:
            packed.Pack(detail)
        status.details.append(packed)
    return status


def reasons(error: grpc.aio.AioRpcError) -> list[str]:
    """The reasons a server of ours gave; none where a proxy or the transport speaks."""
    found = []
    for detail in _details(error):
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            found.append(info.reason)
    return found


def retry_seconds(error: grpc.aio.AioRpcError) -> float | None:
    """After how long a retry can help, as the server said; None where it said nothing of that."""
    for detail in _details(error):
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None


def _details(error: grpc.aio.AioRpcError) -> Sequence[any_pb2.Any]:
    status = rpc_status.from_call(error)  # type: ignore[arg-type] # AioRpcError has what it reads
    return () if status is None else status.details
