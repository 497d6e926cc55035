"""What happens around every handler: identity, validation, error mapping, metrics.

Handlers are coroutines (one answer) or async generators (a stream of answers). They raise
`ServiceError`s and know nothing of statuses. A stream's generator is closed before the call ends,
whatever ended it, so what a handler opened it closes in time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from services.runtime import metrics
from services.runtime.errors import ServiceError, to_status
from services.runtime.logs import log
from services.runtime.request import (
    CALLER_KEY,
    REQUEST_ID_KEY,
    USER_KEY,
    Request,
    new_request_id,
    set_current_request,
)
from services.runtime.validation import validate

_logger = logging.getLogger(__name__)

_LONGEST_ID = 128
# Where a google.rpc.Status travels: https://grpc.io/docs/guides/error/#richer-error-model
_STATUS_KEY = "grpc-status-details-bin"
# Health checks and reflection are not the service's own calls.
_INFRASTRUCTURE = ("/grpc.",)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Behaviour = Callable[[Any, Context], Any]


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Wraps every handler of the server."""

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Returns the method's handler with everything around it."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_INFRASTRUCTURE):
            return handler
        return _wrap(handler, method)


def _wrap(handler: Any, method: str) -> grpc.RpcMethodHandler[Any, Any]:
    codecs = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(
            _one(handler.unary_unary, method, _checked), **codecs
        )
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(
            _one(handler.stream_unary, method, _validated), **codecs
        )
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(
            _many(handler.unary_stream, method, _checked), **codecs
        )
    return grpc.stream_stream_rpc_method_handler(
        _many(handler.stream_stream, method, _validated), **codecs
    )


def _one(behaviour: Behaviour, method: str, check: Callable[[Any], Any]) -> Behaviour:
    async def call(request: Any, context: Context) -> Any:
        async def answer() -> Any:
            return await behaviour(check(request), context)

        return await _around(method, context, answer)

    return call


def _many(behaviour: Behaviour, method: str, check: Callable[[Any], Any]) -> Behaviour:
    async def call(request: Any, context: Context) -> None:
        async def answer() -> None:
            async with aclosing(behaviour(check(request), context)) as responses:
                async for response in responses:
                    await context.write(response)

        await _around(method, context, answer)

    return call


def _checked(request: Message) -> Message:
    validate(request)
    return request


async def _validated(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for message in messages:
        validate(message)
        yield message


def _request(method: str, context: Context) -> Request:
    sent = {key: value for key, value in context.invocation_metadata() or () if value}
    request_id = sent.get(REQUEST_ID_KEY)
    usable = isinstance(request_id, str) and len(request_id) <= _LONGEST_ID
    remaining = context.time_remaining()
    return Request(
        id=str(request_id) if usable else new_request_id(),
        caller=str(sent.get(CALLER_KEY) or context.peer()),
        user=str(sent.get(USER_KEY, "")),
        method=method,
        deadline=None if remaining is None else asyncio.get_running_loop().time() + remaining,
    )


async def _around(method: str, context: Context, answer: Callable[[], Awaitable[Any]]) -> Any:
    request = _request(method, context)
    set_current_request(request)
    # At the end, not at once: a proxy may retry a failed call only while no headers have arrived.
    identity = (REQUEST_ID_KEY, request.id)
    context.set_trailing_metadata((identity,))
    loop = asyncio.get_running_loop()
    started = loop.time()
    code = grpc.StatusCode.OK
    running = metrics.CALLS_RUNNING.labels(method)
    running.inc()
    try:
        return await answer()
    except asyncio.CancelledError:
        code = grpc.StatusCode.CANCELLED
        raise
    except Exception as error:  # noqa: BLE001 - every error becomes a status here
        known = _service_error(error)
        if known is None:
            code = grpc.StatusCode.INTERNAL
            log(_logger, logging.ERROR, "handler failed", cause=error)
            await context.abort(code, f"internal error; request id {request.id}", (identity,))
        else:
            code = known.code
            status = to_status(known).SerializeToString()
            await context.abort(code, known.message, (identity, (_STATUS_KEY, status)))
    finally:
        running.dec()
        metrics.CALLS.labels(method, code.name).inc()
        metrics.CALL_SECONDS.labels(method).observe(loop.time() - started)


def _service_error(error: BaseException) -> ServiceError | None:
    """Finds the error to tell: itself, or the first one in a task group's collection."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            if known := _service_error(inner):
                return known
    return None
