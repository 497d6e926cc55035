"""Answers every method of the contracts with an empty message, and remembers who asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from edge.envoy.contracts import Contract, Method


def descriptor(method: Method) -> MethodDescriptor:
    """The method's descriptor."""
    pool = descriptor_pool.Default()
    service, _, name = method.path.lstrip("/").partition("/")
    return pool.FindServiceByName(service).methods_by_name[name]


def request_type(method: Method) -> type[Message]:
    return message_factory.GetMessageClass(descriptor(method).input_type)


def response_type(method: Method) -> type[Message]:
    return message_factory.GetMessageClass(descriptor(method).output_type)


@dataclass(frozen=True)
class Call:
    """A call that arrived."""

    path: str
    metadata: dict[str, str]
    requests: list[Message]


@dataclass
class EveryMethod:
    """The servicer of whichever contracts it is added for."""

    calls: list[Call] = field(default_factory=list)

    def add_to(self, server: grpc.aio.Server, services: Iterable[Contract]) -> None:
        for contract in services:
            handlers = {method.name: self._handler(method) for method in contract.methods}
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(contract.name, handlers),)
            )

    def _handler(self, method: Method) -> Any:
        answer = response_type(method)

        async def unary(request: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
            self._note(method, context, [request])
            return answer()

        async def streaming(
            requests: AsyncIterator[Message], context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Message]:
            noted = self._note(method, context, [])
            async for request in requests:
                noted.append(request)
                yield answer()

        async def stream_down(
            request: Message, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Message]:
            self._note(method, context, [request])
            yield answer()

        serialising: dict[str, Any] = {
            "request_deserializer": request_type(method).FromString,
            "response_serializer": answer.SerializeToString,
        }
        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(streaming, **serialising)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream_down, **serialising)
        return grpc.unary_unary_rpc_method_handler(unary, **serialising)

    def _note(
        self, method: Method, context: grpc.aio.ServicerContext[Any, Any], requests: list[Message]
    ) -> list[Message]:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.calls.append(Call(method.path, metadata, requests))
        return requests
