"""What other parts keep of a user, through `viva.interview.v1.OwnerService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc
from google.protobuf.duration_pb2 import Duration
from viva.interview.v1 import owner_service_pb2 as pb
from viva.interview.v1 import owner_service_pb2_grpc

from services.runtime.channel import outgoing
from services.runtime.errors import Relayed, Unavailable

SECONDS = 5.0
DELETE_SECONDS = 30.0
EXPORT_SECONDS = 1800.0
TRANSFER_SECONDS = 8.0
"""An interview that is live takes some seconds to be laid aside; a log-in waits for it."""
INTERVIEWS = "interview"
"""What the part is called that keeps interviews."""


class Owners:
    """The interviews behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: owner_service_pb2_grpc.OwnerServiceAsyncStub = (
            owner_service_pb2_grpc.OwnerServiceStub(channel)
        )

    async def export(self, user_id: str) -> AsyncGenerator[tuple[str | None, bytes], None]:
        """Everything of a user's, file after file: a path with the first piece of each.

        Raises:
            Relayed: Too much of it is under way, in the words of who says so.
            Unavailable: It cannot be read.
        """
        request = pb.ExportOwnerRequest(user_id=user_id)
        call = self._stub.ExportOwner(request, **outgoing(EXPORT_SECONDS, user=user_id))
        try:
            with _told(), _refused():
                async for piece in call:
                    yield (piece.path if piece.HasField("path") else None), piece.content
        finally:
            call.cancel()

    async def delete(self, user_id: str) -> tuple[int, int]:
        """Removes everything of a user's; how many interviews and recordings that were.

        Raises:
            Unavailable: It is not known to be gone.
        """
        request = pb.DeleteOwnerRequest(user_id=user_id)
        with _told():
            done = await self._stub.DeleteOwner(request, **outgoing(DELETE_SECONDS, user=user_id))
        return done.interviews, done.recordings

    async def transfer(self, user_id: str, heir: str) -> int:
        """Gives everything of a user's to another; how many interviews that were.

        Raises:
            Unavailable: It is not known to be given.
        """
        request = pb.TransferOwnerRequest(user_id=user_id, new_user_id=heir)
        with _told():
            done = await self._stub.TransferOwner(
                request, **outgoing(TRANSFER_SECONDS, user=user_id)
            )
        return done.interviews

    async def keep_for(self, user_id: str, retention: timedelta | None) -> None:
        """Says how long a user's interviews are kept; None for as long as the server keeps them.

        Raises:
            Unavailable: It could not be told.
        """
        request = pb.SetRetentionRequest(user_id=user_id)
        if retention is not None:
            kept = Duration()
            kept.FromTimedelta(retention)
            request.retention.CopyFrom(kept)
        with _told():
            await self._stub.SetRetention(request, **outgoing(SECONDS, user=user_id))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise Unavailable(
            f"{INTERVIEWS}: what it keeps cannot be reached ({error.code().name})"
        ) from error


@contextmanager
def _refused() -> Iterator[None]:
    """Passes on what the user can do something about."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        raise Relayed(error) from error
