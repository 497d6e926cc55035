"""An OTLP collector that remembers spans."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.server_process import GUARD_SECONDS


@dataclass(frozen=True)
class Span:
    name: str
    trace: str
    id: str
    parent: str
    service: str
    events: tuple[str, ...]


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """It listens while its scope is open."""

    spans: list[Span] = field(default_factory=list)
    port: int = 0
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def Export(
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: object
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource in request.resource_spans:
            told = {a.key: a.value.string_value for a in resource.resource.attributes}
            self.spans += [
                Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    told["service.name"],
                    tuple(event.name for event in span.events),
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        self._arrived.set()
        return trace_service_pb2.ExportTraceServiceResponse()

    @asynccontextmanager
    async def listening(
        self, credentials: grpc.ServerCredentials | None = None
    ) -> AsyncIterator[Collector]:
        server = grpc.aio.server()
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
            self, server
        )
        address = "127.0.0.1:0"
        self.port = (
            server.add_secure_port(address, credentials)
            if credentials
            else server.add_insecure_port(address)
        )
        await server.start()
        try:
            yield self
        finally:
            await server.stop(0)

    async def until(self, arrived: Callable[[], bool]) -> None:
        async with asyncio.timeout(GUARD_SECONDS):
            while not arrived():
                self._arrived.clear()
                await self._arrived.wait()

    def served(self, trace: str) -> list[Span]:
        """The span of the call that each batch of the model served, once for every batch."""
        return [
            span
            for span in self.spans
            if span.trace == trace
            for name in span.events
            if name == "viva.batch"
        ]

    def way_up(self, span: Span) -> list[Span | str]:
        """A span's parents, up to the id of one that is not known here."""
        known = {each.id: each for each in self.spans}
        way: list[Span | str] = []
        parent = span.parent
        while parent in known:
            way.append(known[parent])
            parent = known[parent].parent
        return [*way, parent]
