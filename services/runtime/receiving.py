"""Reads a call's requests off the wire: what is cut, late or no message is told to the caller.

grpc.aio would read them itself, but then never answers a call whose only message does not come, and
tells the name of a Python class to one whose message cannot be decoded.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message

from services.runtime.errors import DeadlineExpired, InvalidField

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Decode: TypeAlias = Callable[[bytes], Any]


async def one_message(context: Context, decode: Decode, seconds: float) -> Any:
    """The message of a call that has one.

    Args:
        context: The call's.
        decode: Reads a message.
        seconds: How long it may take to arrive.

    Raises:
        InvalidField: It was cut, cannot be decoded, or none came.
        DeadlineExpired: It took too long.
    """
    raw = await _read_within(seconds, context, "the request")
    if not isinstance(raw, bytes):
        raise InvalidField("", "the call ended before its request had arrived")
    return _decoded(raw, decode)


async def messages(
    context: Context, decode: Decode, first_seconds: float
) -> AsyncIterator[Message]:
    """The messages of a call that has many, until the caller has no more.

    The first may take `first_seconds` to arrive as a whole: nobody opens a call to say nothing. How
    long those behind it may is the handler's to say.

    Raises:
        InvalidField: One cannot be decoded.
        DeadlineExpired: The first took too long.
    """
    raw = await _read_within(first_seconds, context, "the first message")
    while isinstance(raw, bytes):
        yield _decoded(raw, decode)
        raw = await context.read()


async def _read_within(seconds: float, context: Context, awaited: str) -> object:
    try:
        async with asyncio.timeout(seconds) as scope:
            return await context.read()
    except TimeoutError:
        if not scope.expired():
            raise
        raise DeadlineExpired(f"{awaited} did not arrive within {seconds:g} s") from None


def _decoded(raw: bytes, decode: Decode) -> Any:
    try:
        return decode(raw)
    except DecodeError:
        raise InvalidField("", "the message cannot be decoded") from None
