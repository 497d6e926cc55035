"""Whether users are still logged in, through `viva.account.v1.SessionService`."""

from __future__ import annotations

import grpc
from viva.account.v1 import session_service_pb2 as pb
from viva.account.v1 import session_service_pb2_grpc

from services.runtime.channel import outgoing
from services.runtime.errors import Unavailable

CHECK_SECONDS = 3.0


class SessionClient:
    """The gateway behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: session_service_pb2_grpc.SessionServiceAsyncStub = (
            session_service_pb2_grpc.SessionServiceStub(channel)
        )

    async def is_live(self, session_id: str) -> bool:
        """Whether a session goes on.

        Raises:
            Unavailable: Nobody can say.
        """
        request = pb.CheckSessionRequest(session_id=session_id)
        try:
            answer = await self._stub.CheckSession(request, **outgoing(CHECK_SECONDS))
        except grpc.aio.AioRpcError as error:
            raise Unavailable("accounts: the gateway cannot be asked for the session") from error
        return answer.live
