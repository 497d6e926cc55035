"""A stream's own status reaches its writer, whatever became of the last write.

A server that ends a stream early, because it refuses or drains, makes a write that is under way
fail. grpc.aio puts "Internal error from Core" in the place of the server's words then, for every
reader of that status (https://github.com/grpc/grpc/issues/36066): a refusal with a time to retry
after, or a token that is needed, reads as a fault. Once grpcio keeps the status itself, delete this
module: its test passes without.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

from grpc.aio import _call

CORE_SECONDS = 1.0
"""Until a stream without a status is given grpc.aio's: Core owes none for a write it refused."""
_ACCEPTED = 'Failed "execute_batch"'
"""How grpc.aio begins to tell of a write that Core accepted and that failed with the stream: the
status follows, once all that was answered before it has been read."""


class _Core:
    """In the place of grpc.aio's handle of a stream: a failed write gives the call no status."""

    def __init__(self, core: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._core = core
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def set_internal_error(self, words: str) -> None:
        if not words.startswith(_ACCEPTED) and not self._core.done():
            self._loop.call_later(CORE_SECONDS, self._give_up, words)

    def _give_up(self, words: str) -> None:
        if not self._core.done():
            self._core.set_internal_error(words)


@cache
def keep_status() -> None:
    """Mends the streams that this process opens from now on."""
    streams: Any = _call._StreamRequestMixin
    begin = streams._init_stream_request_mixin

    def begin_with_status(call: Any, requests: Any) -> None:
        call._cython_call = _Core(call._cython_call, call._loop)
        begin(call, requests)

    streams._init_stream_request_mixin = begin_with_status
