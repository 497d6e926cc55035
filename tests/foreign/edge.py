"""A running edge: Envoy, the bridge, a gateway that issues tokens, and servers behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from viva.interview.v1 import conversation_pb2, interview_service_pb2

from edge.gateway.bridge.server import serving
from edge.gateway.bridge.settings import BridgeSettings
from tests.edge import identity
from tests.edge.backend import Backend, envoy
from tests.edge.stand_in_bridge import Bridge
from tests.server_process import free_port

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass
class SlowBackend(Backend):
    """Has an interview that is never found and one that never ends, and keeps every join."""

    left: asyncio.Event = field(default_factory=asyncio.Event)
    joins: list[conversation_pb2.JoinInterview] = field(default_factory=list)

    async def GetInterview(
        self, request: interview_service_pb2.GetInterviewRequest, context: Context
    ) -> interview_service_pb2.GetInterviewResponse:
        if request.interview_id == "slow":
            await asyncio.Event().wait()
        return await super().GetInterview(request, context)

    async def Converse(
        self,
        request_iterator: AsyncIterator[interview_service_pb2.ConverseRequest],
        context: Context,
    ) -> AsyncIterator[interview_service_pb2.ConverseResponse]:
        """Asks whoever joins, and says what it understood of each message."""
        await self.enter(context)
        seq = 0
        async for request in request_iterator:
            seq += 1
            event = conversation_pb2.InterviewEvent(seq=seq, resume_token=f"token-{seq}")
            said = request.candidate
            if request.HasField("join"):
                self.joins.append(request.join)
                event.text.text = f"Welcome to {request.join.interview_id}."
            elif said.HasField("audio"):
                event.candidate_turn.turn.text = f"{len(said.audio.chunk.audio)} bytes"
            else:
                event.candidate_turn.turn.text = said.typed.text
            yield interview_service_pb2.ConverseResponse(event=event)

    async def Listen(
        self, request: interview_service_pb2.ListenRequest, context: Context
    ) -> AsyncIterator[interview_service_pb2.ListenResponse]:
        endless = request.join.interview_id == "endless"
        if endless:
            # Before the first answer: a client may leave after any of them. And not in a `finally`:
            # a generator that is left while it waits to be read on runs none at that time.
            over: Any = context
            over.add_done_callback(lambda _: self.left.set())
        async for answer in super().Listen(request, context):
            yield answer
        event = conversation_pb2.InterviewEvent(seq=4)
        while endless:
            yield interview_service_pb2.ListenResponse(event=event)
            await asyncio.sleep(0.02)


@dataclass
class Edge:
    """A running edge.

    Attributes:
        address: Where browsers call it.
        token: Of somebody who is signed in.
        backend: Behind it.
    """

    address: str
    token: str
    backend: SlowBackend


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Edge]:
    """Runs it until the scope ends."""
    backend = SlowBackend()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(backend.serving())
        gateway = await stack.enter_async_context(identity.gateway())
        place = Bridge(port=free_port())
        mesh = await stack.enter_async_context(
            envoy(directory, backend.port, gateway=gateway, bridge=place)
        )
        settings = BridgeSettings(port=place.port, upstream=mesh.for_bridge, drain_seconds=0)
        await stack.enter_async_context(serving(settings))
        for name in ("InterviewService", "QuestionService"):
            await mesh.until_healthy(f"viva.interview.v1.{name}", backend.port)
        yield Edge(mesh.edge, gateway.token(), backend)
