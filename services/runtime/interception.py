"""What happens around every handler: identity, validation, error mapping, traces, metrics.

Handlers are coroutines (one answer) or async generators (a stream of answers). They raise
`ServiceError`s and know nothing of statuses. A stream's generator is closed before the call ends,
whatever ended it, so what a handler opened it closes in time.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, aclosing
from functools import partial
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from services.runtime import metrics
from services.runtime.call_places import CallPlaces
from services.runtime.draining import unless_draining
from services.runtime.errors import Draining, service_error, to_status
from services.runtime.logs import log
from services.runtime.receiving import Context, messages, one_message
from services.runtime.request import (
    ADDRESS_KEY,
    CALLER_KEY,
    REQUEST_ID_KEY,
    SESSION_KEY,
    USER_KEY,
    Request,
    current_request,
    new_request_id,
    set_current_request,
)
from services.runtime.telemetry import end_with, server_span
from services.runtime.validation import validate
from services.runtime.watching import Watch, sent_whole, watched

_logger = logging.getLogger(__name__)

_LONGEST_ID = 128
# Where a google.rpc.Status travels: https://grpc.io/docs/guides/error/#richer-error-model
_STATUS_KEY = "grpc-status-details-bin"
# Health checks and reflection are not the service's own calls.
_INFRASTRUCTURE = ("/grpc.",)
# A client whose time is up cancels, and mostly before the server's own clock says so: gRPC rounds
# timeouts up on the wire by as much as a hundredth.
_EARLY_SECONDS = 0.01
_EARLY_SHARE = 0.02

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Answer: TypeAlias = Callable[[], Awaitable[Any]]


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler of the server."""

    def __init__(
        self,
        *,
        max_concurrent_rpcs: int,
        receive_seconds: float,
        first_message_seconds: float,
        draining: asyncio.Event,
        watches: Mapping[str, Watch],
        to_the_end: Collection[str] = (),
    ) -> None:
        """Takes the limits of the server.

        Args:
            max_concurrent_rpcs: Calls that run at the same time; more are refused.
            receive_seconds: How long the request of a call that has one may take to arrive.
            first_message_seconds: How long the first message of a stream may.
            draining: Set when the server stops.
            watches: What runs beside the streams of a service, by its name.
            to_the_end: Methods, by full name, that are called until it has stopped: what they
                refuse then they refuse themselves.
        """
        # Not grpc.aio's own limit, which would refuse health checks as well: a server that is busy
        # would be taken for one that is gone.
        self._places = CallPlaces(max_concurrent_rpcs)
        self._receive_seconds = receive_seconds
        self._first_message_seconds = first_message_seconds
        self._draining = draining
        self._watches = watches
        self._to_the_end = frozenset(to_the_end)
        self._running = 0
        self._arrivals = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._wrapped: dict[str, Handler] = {}

    async def until_idle(self) -> None:
        """Waits until none of the service's own calls runs."""
        await self._idle.wait()

    async def until_quiet(self, seconds: float) -> None:
        """Waits until none of the service's own calls has come for so long."""
        arrivals = -1
        while arrivals != self._arrivals:
            arrivals = self._arrivals
            await asyncio.sleep(seconds)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Returns the method's handler with everything around it."""
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None  # type: ignore[return-value] # grpc.aio answers UNIMPLEMENTED
            self._wrapped[method] = self._wrap(handler, method)
        return self._wrapped[method]

    def _wrap(self, handler: Any, method: str) -> Handler:
        """A handler that gets its requests as bytes, from `receiving`."""
        own = not method.startswith(_INFRASTRUCTURE)
        unary = not (handler.request_streaming or handler.response_streaming)
        around = partial(self._counted, unary=unary) if own else self._told

        if handler.response_streaming:
            watch = self._watches.get(method.split("/")[1])

            async def stream(_: object, context: Context) -> None:
                async def answer() -> None:
                    session = current_request().session
                    if watch is None or not session:
                        await _write(await self._call(handler, context, checked=own), context.write)
                        return
                    async with sent_whole(context.write) as write, watched(watch(session)):
                        await _write(await self._call(handler, context, checked=own), write)

                await around(method, context, answer)

            return grpc.stream_stream_rpc_method_handler(
                stream, response_serializer=handler.response_serializer
            )

        async def single(_: object, context: Context) -> Any:
            async def answer() -> bytes:
                response = await (await self._call(handler, context, checked=own))
                # Here and not in grpc.aio, which would tell the caller of a Python class.
                return bytes(handler.response_serializer(response))

            return await around(method, context, answer)

        return grpc.stream_unary_rpc_method_handler(single)

    async def _call(self, handler: Any, context: Context, *, checked: bool) -> Any:
        """What the handler returns for the call's requests: a coroutine or a generator."""
        decode = handler.request_deserializer
        request: Any
        if handler.request_streaming:
            request = messages(context, decode, self._first_message_seconds)
            request = _validated(request) if checked else request
        else:
            request = await one_message(context, decode, self._receive_seconds)
            if checked:
                validate(request)
        behaviour = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )
        return behaviour(request, context)

    async def _counted(self, method: str, context: Context, answer: Answer, *, unary: bool) -> Any:
        """Answers one of the service's own calls."""
        sent = {key: value for key, value in context.invocation_metadata() or () if value}
        request = self._request(method, sent, context)
        set_current_request(request)
        # At the end, not at once: a proxy may retry a failed call only while no headers have come.
        context.set_trailing_metadata(((REQUEST_ID_KEY, request.id),))
        loop = asyncio.get_running_loop()
        started = loop.time()
        code = grpc.StatusCode.OK
        running = metrics.CALLS_RUNNING.labels(method)
        running.inc()
        self._running += 1
        self._arrivals += 1
        self._idle.clear()
        with server_span(method, sent) as span:
            try:
                with self._admitted(request):
                    return await answer()
            except asyncio.CancelledError as error:
                if _is_call_cancelled():
                    code = _why_cancelled(request, started)
                    raise
                # A task or a future inside was, which is no caller's doing.
                code = grpc.StatusCode.INTERNAL
                await _abort(context, request.id, error)
            except grpc.aio.InternalError as error:
                # gRPC's own: the call was over before its answer could be sent.
                code = _why_cancelled(request, started)
                raise _over(error) from error
            except Exception as error:  # noqa: BLE001 - every error becomes a status here
                code = _code(error)
                await _abort(context, request.id, error)
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()
                running.dec()
                end_with(span, code)
                metrics.CALLS.labels(method, code.name).inc()
                if unary:
                    metrics.CALL_SECONDS.labels(method.removeprefix("/"), code.name).observe(
                        loop.time() - started
                    )

    async def _told(self, _: str, context: Context, answer: Answer) -> Any:
        """Answers a call of the infrastructure, which neither counts nor is traced.

        Whoever watches health must not hold up a server that stops.
        """
        try:
            return await unless_draining(answer(), self._draining)
        except grpc.aio.AbortError:
            raise
        except grpc.aio.InternalError as error:
            raise _over(error) from error
        except Exception as error:  # noqa: BLE001 - every error becomes a status here
            await _abort(context, new_request_id(), error)

    def _admitted(self, request: Request) -> AbstractContextManager[None]:
        if self._draining.is_set() and request.method not in self._to_the_end:
            raise Draining
        return self._places.taken(request)

    def _request(self, method: str, sent: Mapping[str, str | bytes], context: Context) -> Request:
        request_id = sent.get(REQUEST_ID_KEY)
        usable = isinstance(request_id, str) and len(request_id) <= _LONGEST_ID
        remaining = context.time_remaining()
        return Request(
            id=str(request_id) if usable else new_request_id(),
            caller=str(sent.get(CALLER_KEY) or context.peer()),
            user=str(sent.get(USER_KEY, "")),
            session=str(sent.get(SESSION_KEY, "")),
            address=str(sent.get(ADDRESS_KEY, "")),
            method=method,
            deadline=None if remaining is None else asyncio.get_running_loop().time() + remaining,
            draining=self._draining,
        )


def _over(error: grpc.aio.InternalError) -> asyncio.CancelledError:
    """What ends a call that is over without another attempt at a status."""
    log(_logger, logging.INFO, "answer not sent", cause=error)
    return asyncio.CancelledError()


async def _write(responses: Any, write: Callable[[Any], Awaitable[None]]) -> None:
    if not inspect.isasyncgen(responses):
        # The health service's Watch writes its answers itself.
        await responses
        return
    async with aclosing(responses):
        async for response in responses:
            await write(response)


async def _validated(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for message in requests:
        validate(message)
        yield message


async def _abort(context: Context, request_id: str, error: BaseException) -> None:
    """Ends the call with the status of an error; one that is no `ServiceError` is a bug."""
    identity = (REQUEST_ID_KEY, request_id)
    known = service_error(error)
    if known is None:
        log(_logger, logging.ERROR, "handler failed", cause=error)
        message = f"internal error; request id {request_id}"
        await context.abort(grpc.StatusCode.INTERNAL, message, (identity,))
    else:
        status = to_status(known).SerializeToString()
        await context.abort(known.code, known.message, (identity, (_STATUS_KEY, status)))


def _code(error: Exception) -> grpc.StatusCode:
    known = service_error(error)
    return grpc.StatusCode.INTERNAL if known is None else known.code


def _is_call_cancelled() -> bool:
    """Whether it is the call's own task that was cancelled, as gRPC does when a call is over."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _why_cancelled(request: Request, started: float) -> grpc.StatusCode:
    remaining = request.remaining()
    if remaining is None or request.deadline is None:
        return grpc.StatusCode.CANCELLED
    early = _EARLY_SECONDS + _EARLY_SHARE * (request.deadline - started)
    return grpc.StatusCode.DEADLINE_EXCEEDED if remaining <= early else grpc.StatusCode.CANCELLED
