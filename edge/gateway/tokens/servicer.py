"""`viva.account.v1.SessionService` on the wire."""

from __future__ import annotations

from typing import Any

import grpc
from viva.account.v1 import session_service_pb2 as pb
from viva.account.v1 import session_service_pb2_grpc

from edge.gateway.tokens.liveness import LiveSessions

_Context = grpc.aio.ServicerContext[Any, Any]


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Answers the mesh's services."""

    def __init__(self, live: LiveSessions) -> None:
        self._live = live

    async def CheckSession(
        self, request: pb.CheckSessionRequest, context: _Context
    ) -> pb.CheckSessionResponse:
        """Whether a session goes on."""
        return pb.CheckSessionResponse(live=await self._live.is_live(request.session_id))
