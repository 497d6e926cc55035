"""What can go wrong with a call, as the one error the interview knows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.rpc import status_pb2

from services.interview.clients.seams import DependencyFailed, ServiceName
from services.runtime.errors import DeadlineTooShort, Draining, reasons

TELLING = (Draining.reason, DeadlineTooShort.reason)
"""Of a server that is stopping, and of one that knows that it is too slow for what was asked."""


def told(service: ServiceName, error: status_pb2.Status) -> DependencyFailed:
    """A failure that a stream tells of a part of its work, and survives."""
    names = {code.value[0]: code.name for code in grpc.StatusCode}
    return DependencyFailed(service, names.get(error.code, "UNKNOWN"))


def _reason(error: grpc.aio.AioRpcError) -> str:
    """The status code, or the reason of a refusal that says more than that."""
    known = [reason for reason in TELLING if reason in reasons(error)]
    return known[0] if known else error.code().name


@contextmanager
def failures(service: ServiceName) -> Iterator[None]:
    """Turns a failed call into `DependencyFailed`.

    A write on a call that is over raises `InvalidStateError`. A cancelled call raises
    `CancelledError` although nobody cancelled this task; only a real cancellation passes.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise DependencyFailed(service, _reason(error)) from error
    except asyncio.InvalidStateError as error:
        raise DependencyFailed(service, "the stream is over") from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() == 0:
            raise DependencyFailed(service, "CANCELLED") from None
        raise
