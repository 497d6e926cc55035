"""How many interviews a user may create, through `viva.account.v1.QuotaService`."""

from __future__ import annotations

import uuid

import grpc
from viva.account.v1 import quota_service_pb2 as pb
from viva.account.v1 import quota_service_pb2_grpc

from services.runtime.channel import outgoing
from services.runtime.errors import Relayed, Unavailable

QUOTA_SECONDS = 3.0
_NOT_THERE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
}


class QuotaClient:
    """The gateway behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: quota_service_pb2_grpc.QuotaServiceAsyncStub = (
            quota_service_pb2_grpc.QuotaServiceStub(channel)
        )

    async def reserve(self, user: str, interview_id: str) -> None:
        """Counts an interview of the user's, who has a quota with an account.

        Raises:
            Relayed: As the gateway said: the user has none left, or is no user any more.
            Unavailable: It does not answer.
        """
        if not _has_account(user):
            return
        request = pb.ReserveRequest(user_id=user, kind=pb.QUOTA_KIND_INTERVIEW, key=interview_id)
        try:
            await self._stub.Reserve(request, **outgoing(QUOTA_SECONDS))
        except grpc.aio.AioRpcError as error:
            raise _told(error) from error

    async def release(self, user: str, interview_id: str) -> None:
        """Gives an interview back that is not held; one that is not counted does no harm.

        Raises:
            Relayed: As the gateway said: the user is none any more.
            Unavailable: It does not answer.
        """
        if not _has_account(user):
            return
        request = pb.ReleaseRequest(user_id=user, kind=pb.QUOTA_KIND_INTERVIEW, key=interview_id)
        try:
            await self._stub.Release(request, **outgoing(QUOTA_SECONDS))
        except grpc.aio.AioRpcError as error:
            raise _told(error) from error


def _told(error: grpc.aio.AioRpcError) -> Unavailable | Relayed:
    if error.code() in _NOT_THERE:
        return Unavailable("accounts: the gateway cannot be asked for the quota")
    return Relayed(error)


def _has_account(user: str) -> bool:
    """Whether the gateway gave the name: a UUID. Whom else the mesh's own callers name has none."""
    try:
        uuid.UUID(user)
    except ValueError:
        return False
    return True
