"""`viva.account.v1.QuotaService` on the wire."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
from viva.account.v1 import quota_service_pb2 as pb
from viva.account.v1 import quota_service_pb2_grpc

from edge.gateway.accounts import wire
from edge.gateway.quotas.plans import Plans

_Context = grpc.aio.ServicerContext[Any, Any]


class QuotaServicer(quota_service_pb2_grpc.QuotaServiceServicer):
    """Translates between the contract and the plans. Interviews are all that is counted."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    async def Reserve(self, request: pb.ReserveRequest, context: _Context) -> pb.ReserveResponse:
        """Counts one use."""
        usage = await self._plans.reserve(_id(request.user_id), request.key)
        return pb.ReserveResponse(quota=wire.quota(usage))

    async def Release(self, request: pb.ReleaseRequest, context: _Context) -> pb.ReleaseResponse:
        """Gives a use back."""
        usage = await self._plans.release(_id(request.user_id), request.key)
        return pb.ReleaseResponse(quota=wire.quota(usage))


def _id(told: str) -> str:
    """A user's id in its usual form, which rows are compared with."""
    return str(uuid.UUID(told))
