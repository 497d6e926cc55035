"""The floor: the same servers' code and models in one process, with nothing between them.

A channel that hands messages over as objects takes the place of every gRPC channel: no
serialisation, no HTTP/2, no proxy, no interceptor. What is left is the work itself.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Self, cast

import grpc

from services.asr import server as asr
from services.asr.settings import AsrSettings
from services.cli.bench.turn.interviews import Interviews
from services.embed import server as embed
from services.embed.settings import EmbedSettings
from services.interview import server as interview
from services.interview.settings import InterviewServerSettings
from services.llm import server as llm
from services.llm.settings import LlmSettings
from services.runtime.errors import service_error
from services.runtime.request import CALLER_KEY, USER_KEY, Request, set_current_request
from services.runtime.server import Service
from services.runtime.settings import load
from services.tts import server as tts
from services.tts.settings import TtsSettings

Metadata = Sequence[tuple[str, str]]


@asynccontextmanager
async def floor() -> AsyncIterator[Interviews]:
    """Loads every model into this process and holds interviews there.

    Raises:
        ResourceMissing: A model or a package is not there.
    """
    # Interviews of this process are gone with it.
    os.environ.setdefault("VIVA_INTERVIEW_STORE", "memory")
    # Nobody calls it, and the mesh's interview server has the usual address.
    os.environ.setdefault("VIVA_INTERVIEW_ADVERTISE", "in-process.invalid:1")
    channel = InProcessChannel()
    async with AsyncExitStack() as stack:
        for build in (
            asr.build(load(AsrSettings)),
            tts.build(load(TtsSettings)),
            llm.build(load(LlmSettings)),
            embed.build(load(EmbedSettings)),
            interview.build(load(InterviewServerSettings), connect=lambda _: channel.opened()),
        ):
            channel.offer(await stack.enter_async_context(build))
        yield Interviews("in process", channel.typed())


class InProcessChannel:
    """A channel to servicers of the same process, as far as generated stubs use one."""

    def __init__(self) -> None:
        self._handlers: dict[str, Any] = {}

    def offer(self, services: Sequence[Service]) -> None:
        """Makes services callable."""
        for service in services:
            service.register(cast("grpc.aio.Server", _Registry(self._handlers)))

    def typed(self) -> grpc.aio.Channel:
        """Itself, as stubs want it."""
        return cast("grpc.aio.Channel", self)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[grpc.aio.Channel]:
        """Itself, in place of a channel that is opened and closed."""
        yield self.typed()

    def unary_unary(self, method: str, *_: object, **__: object) -> Callable[..., _Unary]:
        """A method of one request and one answer."""
        return partial(self._unary, method)

    def unary_stream(self, method: str, *_: object, **__: object) -> Callable[..., _Stream]:
        """A method of one request and a stream of answers."""

        def call(
            request: object, *, timeout: float | None = None, metadata: Metadata = ()
        ) -> _Stream:
            answer = self._handlers[method].unary_stream
            return _Stream(lambda _: answer(request, None), _request(method, timeout, metadata))

        return call

    def stream_stream(self, method: str, *_: object, **__: object) -> Callable[..., _Stream]:
        """A method of two streams; requests are written."""

        def call(
            _: None = None, *, timeout: float | None = None, metadata: Metadata = ()
        ) -> _Stream:
            answer = self._handlers[method].stream_stream
            return _Stream(
                lambda requests: answer(requests, None), _request(method, timeout, metadata)
            )

        return call

    def stream_unary(self, method: str, *_: object, **__: object) -> Callable[..., _Unary]:
        """No server here has one."""
        raise NotImplementedError(method)

    def _unary(
        self,
        method: str,
        request: object,
        *,
        timeout: float | None = None,
        metadata: Metadata = (),
    ) -> _Unary:
        if method not in self._handlers:
            raise LookupError(f"no servicer answers {method}")
        answer = self._handlers[method].unary_unary
        return _Unary(answer(request, None), _request(method, timeout, metadata))


class _Registry:
    """Takes handlers as a server does."""

    def __init__(self, handlers: dict[str, Any]) -> None:
        self._handlers = handlers

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Generated code calls both; the other one names the methods."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        """The methods of a service."""
        for name, handler in handlers.items():
            self._handlers[f"/{service}/{name}"] = handler


def _request(method: str, timeout: float | None, metadata: Metadata) -> Request:
    sent = dict(metadata)
    deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
    return Request(
        id=uuid.uuid4().hex,
        caller=sent.get(CALLER_KEY, ""),
        user=sent.get(USER_KEY, ""),
        method=method,
        deadline=deadline,
    )


def _failed(error: Exception) -> grpc.aio.AioRpcError:
    known = service_error(error)
    return grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL if known is None else known.code,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(),
        details=repr(error) if known is None else known.message,
        debug_error_string=None,
    )


class _Unary:
    """A running call with one answer."""

    def __init__(self, answer: Coroutine[Any, Any, Any], request: Request) -> None:
        self._task = asyncio.create_task(self._run(answer, request))

    async def _run(self, answer: Coroutine[Any, Any, Any], request: Request) -> Any:
        set_current_request(request)
        try:
            return await answer
        except Exception as error:
            raise _failed(error) from error

    def __await__(self) -> Generator[Any, None, Any]:
        return self._task.__await__()

    def cancel(self) -> bool:
        return self._task.cancel()


class _Stream:
    """A running call with a stream of answers."""

    def __init__(
        self, answer: Callable[[AsyncIterator[Any]], AsyncIterator[Any]], request: Request
    ) -> None:
        self._requests: asyncio.Queue[Any] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()
        self._over = False
        self._task = asyncio.create_task(self._run(answer, request))

    async def _run(
        self, answer: Callable[[AsyncIterator[Any]], AsyncIterator[Any]], request: Request
    ) -> None:
        set_current_request(request)
        try:
            async for response in answer(self._written()):
                self._answers.put_nowait(response)
        except Exception as error:  # noqa: BLE001 - as servers do, it ends the call alone
            self._answers.put_nowait(_failed(error))
        finally:
            self._over = True
            self._answers.put_nowait(_END)

    async def _written(self) -> AsyncIterator[Any]:
        while (message := await self._requests.get()) is not _END:
            yield message

    async def write(self, message: object) -> None:
        """Hands a request over."""
        if self._over:
            raise asyncio.InvalidStateError("the call is over")
        self._requests.put_nowait(message)

    async def done_writing(self) -> None:
        """No more requests."""
        self._requests.put_nowait(_END)

    async def read(self) -> Any:
        """The next answer; grpc.aio.EOF at the end."""
        answer = await self._answers.get()
        if answer is _END:
            self._answers.put_nowait(_END)
            return grpc.aio.EOF  # type: ignore[attr-defined]
        if isinstance(answer, grpc.aio.AioRpcError):
            raise answer
        return answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        answer = await self.read()
        if answer is grpc.aio.EOF:  # type: ignore[attr-defined]
            raise StopAsyncIteration
        return answer

    def cancel(self) -> bool:
        """Ends the call; the servicer's generator is closed."""
        return self._task.cancel()


_END = object()
