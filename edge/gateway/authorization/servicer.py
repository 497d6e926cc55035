"""Envoy asks, the policy answers (`envoy.service.auth.v3.Authorization`)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

import grpc
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc
from envoy.type.v3 import http_status_pb2
from google.protobuf import json_format
from google.rpc import status_pb2

from edge.envoy.callers import CALLER_HEADER
from edge.envoy.claims import (
    BODY,
    CLAIMS,
    JWT_FILTER,
    METHOD,
    SESSION_HEADER,
    UNKNOWN_FIELD,
    USER_HEADER,
)
from edge.gateway.authorization.bodies import Bodies, Fault
from edge.gateway.authorization.policy import Caller, Policy, Verdict
from services.runtime.logs import log

_logger = logging.getLogger(__name__)

SERVICE = "envoy.service.auth.v3.Authorization"

_HTTP: Mapping[Verdict, tuple[int, grpc.StatusCode]] = {
    Verdict.NO_CALLER: (401, grpc.StatusCode.UNAUTHENTICATED),
    Verdict.SESSION_ENDED: (401, grpc.StatusCode.UNAUTHENTICATED),
    Verdict.NOT_ADMIN: (403, grpc.StatusCode.PERMISSION_DENIED),
    Verdict.CLOSED: (403, grpc.StatusCode.PERMISSION_DENIED),
}


class Liveness(Protocol):
    """Knows which sessions go on."""

    async def is_live(self, session_id: str) -> bool:
        """Whether the session goes on."""


class AuthorizationServicer(external_auth_pb2_grpc.AuthorizationServicer):  # type: ignore[misc]
    """Answers Envoy.

    It trusts the claims that Envoy verified and the method that Envoy's route names; of what the
    client sent it sees the names in a JSON body, and nothing else is looked at.
    """

    def __init__(self, policy: Policy, sessions: Liveness, bodies: Bodies) -> None:
        """Takes what is allowed, who knows which sessions go on, and what requests hold."""
        self._policy = policy
        self._sessions = sessions
        self._bodies = bodies

    async def Check(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """Decides about one call."""
        attributes = request.attributes
        method = attributes.context_extensions.get(METHOD, "")
        # Those are Envoy's decision: it asks about their bodies alone.
        if self._policy.is_public(method):
            allowed = _allowed_as_it_is()
        else:
            caller = _caller(attributes.metadata_context)
            live = caller is not None and await self._sessions.is_live(caller.session)
            verdict = self._policy.decide(method, caller, live=live)
            if verdict is not Verdict.ALLOWED:
                log(_logger, logging.INFO, "refused", method=method, verdict=verdict.name)
                return _refused(verdict)
            allowed = _allowed(caller)
        part = attributes.context_extensions.get(BODY)
        if part is not None:
            fault = self._bodies.fault(method, part, attributes.request.http.body)
            if fault is not None:
                log(_logger, logging.INFO, "body refused", method=method)
                return _faulty(fault)
        return allowed


def add_to(server: grpc.aio.Server, servicer: AuthorizationServicer) -> None:
    """Registers the servicer."""
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(servicer, server)


def _caller(metadata: Any) -> Caller | None:
    verified = metadata.filter_metadata.get(JWT_FILTER)
    if verified is None:
        return None
    claims = json_format.MessageToDict(verified).get(CLAIMS)
    return Caller.of(claims) if isinstance(claims, dict) else None


def _allowed(caller: Caller | None) -> Any:
    """Goes on, as the caller and nobody else."""
    names = (USER_HEADER, SESSION_HEADER, CALLER_HEADER)
    if caller is None:
        ok = external_auth_pb2.OkHttpResponse(headers_to_remove=names)
    else:
        values = (caller.user, caller.session, f"user:{caller.user}")
        ok = external_auth_pb2.OkHttpResponse(
            headers=[_overwrite(*pair) for pair in zip(names, values, strict=True)]
        )
    return external_auth_pb2.CheckResponse(status=status_pb2.Status(), ok_response=ok)


def _overwrite(name: str, value: str) -> Any:
    """A header that replaces whatever was there: appended, a forged one would stay the first."""
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _refused(verdict: Verdict) -> Any:
    status, code = _HTTP[verdict]
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code.value[0], message=verdict.value),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=status),
            headers=[_overwrite("grpc-message", verdict.value)],
            body=verdict.value,
        ),
    )


def _allowed_as_it_is() -> Any:
    return external_auth_pb2.CheckResponse(
        status=status_pb2.Status(), ok_response=external_auth_pb2.OkHttpResponse()
    )


def _faulty(fault: Fault) -> Any:
    code, _ = grpc.StatusCode.INVALID_ARGUMENT.value
    answer = external_auth_pb2.CheckResponse(
        status=status_pb2.Status(code=code, message=fault.reason),
        denied_response=external_auth_pb2.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=400), body=fault.reason
        ),
    )
    if fault.field is not None:
        answer.dynamic_metadata.update({UNKNOWN_FIELD: fault.field})
    return answer
