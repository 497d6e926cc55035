"""The client's side: one long-lived channel a process, and what every call carries."""

from __future__ import annotations

from typing import TypedDict

import grpc
from opentelemetry import propagate

from services.runtime.request import CALLER_KEY, REQUEST_ID_KEY, current_request
from services.runtime.stream_status import keep_status


class CallOptions(TypedDict):
    """Keyword arguments of a stub's call."""

    timeout: float
    metadata: tuple[tuple[str, str], ...]


def open_channel(address: str, *, max_message_bytes: int = 128 * 1024 * 1024) -> grpc.aio.Channel:
    """Opens a channel to share for the life of the process; close it at the end.

    Args:
        address: "host:port".
        max_message_bytes: Largest message in either direction.
    """
    keep_status()
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # Back within a second of the server's return, not after minutes.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1_000),
        ],
    )


def outgoing(timeout: float, *, caller: str | None = None, user: str | None = None) -> CallOptions:
    """What a call to another server carries: `stub.Embed(request, **outgoing(5.0))`.

    The deadline is the nearer of `timeout` and the running request's own; the request id and the
    trace go along. This is done by the caller and not by an interceptor because grpc.aio's
    interceptors of bidirectional calls hide the call's cancellation from its owner.

    Args:
        timeout: Seconds.
        caller: Who shares the server fairly with others; None passes on the running request's.
        user: The user on whose behalf the call is made.
    """
    request = current_request()
    remaining = request.remaining() if request.deadline is not None else None
    metadata = {REQUEST_ID_KEY: request.id}
    if caller := caller or request.caller:
        metadata[CALLER_KEY] = caller
    if user is not None:
        metadata["x-viva-user"] = user
    propagate.inject(metadata)
    return CallOptions(
        timeout=timeout if remaining is None else max(0.0, min(timeout, remaining)),
        metadata=tuple(metadata.items()),
    )
