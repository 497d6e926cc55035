"""How Envoy's API is written: extensions as `Any`, numbers and flags that can be absent."""

from __future__ import annotations

from typing import Any

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from google.protobuf.message import Message

TRUE = wrappers_pb2.BoolValue(value=True)
FALSE = wrappers_pb2.BoolValue(value=False)
"""Flags as wrappers: Envoy's way to tell false from absent."""


def packed(message: Message) -> any_pb2.Any:
    """The message as an `Any`."""
    result = any_pb2.Any()
    result.Pack(message)
    return result


def http_filter(name: str, config: Message) -> Any:
    """An HTTP filter of a listener's chain."""
    return http_connection_manager_pb2.HttpFilter(name=name, typed_config=packed(config))


def seconds(value: float) -> duration_pb2.Duration:
    """The duration of `value` seconds."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration


def uint32(value: int) -> wrappers_pb2.UInt32Value:
    """The number as a wrapper: Envoy's way to tell 0 from absent."""
    return wrappers_pb2.UInt32Value(value=value)


def uint64(value: int) -> wrappers_pb2.UInt64Value:
    """The number as a wrapper: Envoy's way to tell 0 from absent."""
    return wrappers_pb2.UInt64Value(value=value)
