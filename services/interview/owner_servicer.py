"""`viva.interview.v1.OwnerService` on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any

import grpc
from viva.interview.v1 import interview_service_pb2, owner_service_pb2_grpc
from viva.interview.v1 import owner_service_pb2 as pb

from services.interview.exporting import Exports
from services.interview.forwarding import Forwarding
from services.interview.house import House
from services.interview.store.store import LeaseLost, Store
from services.runtime.errors import InvalidField, NotFound, PermissionDenied, Unavailable
from services.runtime.request import current_request

_Context = grpc.aio.ServicerContext[Any, Any]


class OwnerServicer(owner_service_pb2_grpc.OwnerServiceServicer):
    """Translates between the contract and the house."""

    def __init__(
        self, house: House, store: Store, forwarding: Forwarding, exports: Exports
    ) -> None:
        self._house = house
        self._store = store
        self._forwarding = forwarding
        self._exports = exports

    async def ExportOwner(
        self, request: pb.ExportOwnerRequest, context: _Context
    ) -> AsyncIterator[pb.ExportOwnerResponse]:
        """Reads everything."""
        _require_same(request.user_id)
        async with aclosing(self._exports.export(request.user_id)) as pieces:
            async for path, content in pieces:
                yield pb.ExportOwnerResponse(path=path, content=content)

    async def DeleteOwner(
        self, request: pb.DeleteOwnerRequest, context: _Context
    ) -> pb.DeleteOwnerResponse:
        """Removes everything; an interview that another server holds is removed there."""
        user = request.user_id
        _require_same(user)
        interviews = recordings = 0
        while True:
            page, _ = await self._house.page(user, 1, None)
            if not page:
                break
            name = page[0].interview.id
            recordings += len(await self._store.recorded(user, name))
            await self._delete(user, name, context)
            interviews += 1
        await self._store.forget_owner(user)
        return pb.DeleteOwnerResponse(interviews=interviews, recordings=recordings)

    async def _delete(self, user: str, name: str, context: _Context) -> None:
        request = interview_service_pb2.DeleteInterviewRequest(interview_id=name)

        async def answer() -> interview_service_pb2.DeleteInterviewResponse:
            with suppress(NotFound):  # Somebody else was faster.
                await self._house.delete(user, name)
            return interview_service_pb2.DeleteInterviewResponse()

        await self._forwarding.unary("DeleteInterview", request, context, answer)

    async def TransferOwner(
        self, request: pb.TransferOwnerRequest, context: _Context
    ) -> pb.TransferOwnerResponse:
        """Gives everything to another user; what that one wishes holds for all of it."""
        user, heir = request.user_id, request.new_user_id
        _require_same(user)
        if user == heir:
            raise InvalidField("new_user_id", "is the user whose it is")
        try:
            interviews = await self._house.transfer(user, heir)
        except LeaseLost as error:  # Somebody was faster; they lose it to the next attempt.
            raise Unavailable("an interview was taken up meanwhile; call again", 0.5) from error
        await self._store.forget_owner(user)
        return pb.TransferOwnerResponse(interviews=interviews)

    async def SetRetention(
        self, request: pb.SetRetentionRequest, context: _Context
    ) -> pb.SetRetentionResponse:
        """Says how long the user's interviews are kept."""
        kept: timedelta | None = None
        if request.HasField("retention"):
            kept = request.retention.ToTimedelta()
        _require_same(request.user_id)
        await self._store.keep_for(request.user_id, kept)
        return pb.SetRetentionResponse()


def _require_same(user: str) -> None:
    """A call on behalf of a user concerns that user: what is forwarded is theirs."""
    if current_request().user != user:
        raise PermissionDenied("NOT_THE_OWNER", "x-viva-user names another user than user_id")
