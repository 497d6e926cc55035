"""What Envoy itself answers, in the form the caller reads: `google.rpc.Status`, as the servers do.

gRPC callers get headers alone, with grpc-status and its details. Left to itself Envoy would derive
UNKNOWN or INTERNAL from statuses that say more, and answer gRPC-Web callers with the HTTP status,
which clients read in their own ways. Everybody else gets JSON, and so do callers whose headers
could not even be read: nothing is known of them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc
from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.type.matcher.v3 import metadata_pb2, string_pb2, value_pb2
from google.protobuf import any_pb2, duration_pb2, json_format, struct_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from edge.envoy.claims import EXT_AUTHZ, UNKNOWN_FIELD
from edge.envoy.extensions import FALSE, uint32
from services.runtime.errors import DOMAIN

GRPC = "application/grpc"
GRPC_WEB = "application/grpc-web"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an HTTP status of Envoy's own means.

    Attributes:
        status: The HTTP status.
        code: What a gRPC caller is told.
        reason: A stable word for programs, `ErrorInfo.reason`.
        message: For people, where Envoy says nothing better.
        json_code: The code in JSON, where that differs from `code`.
        jargon: Whether what Envoy says is none for people, unless the gateway has denied it.
    """

    status: int
    code: grpc.StatusCode
    reason: str
    message: str
    json_code: grpc.StatusCode | None = None
    jargon: bool = False


_Code = grpc.StatusCode
REFUSALS: Sequence[Refusal] = (
    Refusal(400, _Code.INVALID_ARGUMENT, "MALFORMED_REQUEST", "the request is malformed"),
    Refusal(
        401,
        _Code.UNAUTHENTICATED,
        "UNAUTHENTICATED",
        "a valid access token is needed",
        jargon=True,
    ),
    Refusal(403, _Code.PERMISSION_DENIED, "PERMISSION_DENIED", "this is not allowed"),
    Refusal(
        404, _Code.UNIMPLEMENTED, "NOT_SERVED", "nothing is served at this path", _Code.NOT_FOUND
    ),
    Refusal(405, _Code.UNIMPLEMENTED, "WRONG_VERB", "this path has other verbs; see allow"),
    Refusal(408, _Code.DEADLINE_EXCEEDED, "TOO_SLOW", "the request took too long"),
    Refusal(413, _Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", "the request is too large"),
    Refusal(
        415,
        _Code.INVALID_ARGUMENT,
        "WRONG_CONTENT_TYPE",
        "this path takes application/grpc and application/grpc-web",
    ),
    Refusal(
        429,
        _Code.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        "too many requests; ask again later",
        jargon=True,
    ),
    Refusal(431, _Code.RESOURCE_EXHAUSTED, "HEADERS_TOO_LARGE", "the headers are too large"),
    Refusal(500, _Code.INTERNAL, "INTERNAL", "something broke"),
    Refusal(502, _Code.UNAVAILABLE, "UPSTREAM_BROKE", "the server behind the edge broke off"),
    Refusal(503, _Code.UNAVAILABLE, "UNAVAILABLE", "no server can answer now; ask again"),
    Refusal(504, _Code.DEADLINE_EXCEEDED, "UPSTREAM_TOO_SLOW", "the server took too long"),
)


def local_replies(retry_after: int, *, accounts: bool) -> Any:
    """The mapping, as a listener's `LocalReplyConfig`.

    Args:
        retry_after: After so many seconds one who asked too often may ask again.
        accounts: Whether tokens are verified. Where none are, a 401 is ours and says why.
    """
    known = [
        replace(each, jargon=each.jargon and (accounts or each.status != 401)) for each in REFUSALS
    ]
    mappers = [
        mapper
        for refusal in known
        for mapper in (
            _as_grpc(refusal, retry_after),
            *((_as_json(refusal, retry_after, _denied()),) if refusal.jargon else ()),
            _as_json(refusal, retry_after),
        )
    ]
    return http_connection_manager_pb2.LocalReplyConfig(mappers=[_unknown_field(), *mappers])


_Mapper = http_connection_manager_pb2.ResponseMapper


def _as_grpc(refusal: Refusal, retry_after: int) -> Any:
    headers = {
        "grpc-status": str(refusal.code.value[0]),
        "grpc-message": refusal.message,
        "grpc-status-details-bin": _details(refusal, retry_after),
    }
    return _Mapper(
        filter=_all(_status(refusal.status), _content_type(GRPC), _not_transcoded()),
        status_code=uint32(200),
        body_format_override=_text("", f"{GRPC_WEB}+proto"),
        # Who refuses may have said it better.
        headers_to_add=[_header(name, value, unless_said=True) for name, value in headers.items()],
    )


def _as_json(refusal: Refusal, retry_after: int, only: Any = None) -> Any:
    status = _rpc_status(refusal, refusal.json_code or refusal.code, retry_after)
    body = struct_pb2.Struct()
    body.update(json_format.MessageToDict(status))
    body.update({"code": status.code})
    if only is not None or not refusal.jargon:
        body.update({"message": "%LOCAL_REPLY_BODY%"})
    extra = {"retry-after": str(retry_after)} if refusal.status == 429 else {}
    return _Mapper(
        filter=_status(refusal.status) if only is None else _all(_status(refusal.status), only),
        body_format_override=substitution_format_string_pb2.SubstitutionFormatString(
            json_format=body, content_type="application/json"
        ),
        headers_to_add=[
            _header(name, value)
            for name, value in {"x-content-type-options": "nosniff", **extra}.items()
        ],
    )


def _unknown_field() -> Any:
    """JSON with a field that is none, as the gateway has named it."""
    code, _ = grpc.StatusCode.INVALID_ARGUMENT.value
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=f"%DYNAMIC_METADATA({EXT_AUTHZ}:{UNKNOWN_FIELD})%", description="is unknown"
    )
    status = status_pb2.Status(code=code)
    for detail in (
        error_details_pb2.ErrorInfo(reason="INVALID_FIELD", domain=DOMAIN),
        error_details_pb2.BadRequest(field_violations=[violation]),
    ):
        status.details.append(_any(detail))
    body = struct_pb2.Struct()
    body.update({**json_format.MessageToDict(status), "message": "%LOCAL_REPLY_BODY%"})
    return _Mapper(
        filter=accesslog_pb2.AccessLogFilter(
            metadata_filter=accesslog_pb2.MetadataFilter(
                matcher=metadata_pb2.MetadataMatcher(
                    filter=EXT_AUTHZ,
                    path=[metadata_pb2.MetadataMatcher.PathSegment(key=UNKNOWN_FIELD)],
                    value=value_pb2.ValueMatcher(present_match=True),
                ),
                match_if_key_not_found=FALSE,
            )
        ),
        body_format_override=substitution_format_string_pb2.SubstitutionFormatString(
            json_format=body, content_type="application/json"
        ),
        headers_to_add=[_header("x-content-type-options", "nosniff")],
    )


def _rpc_status(refusal: Refusal, code: grpc.StatusCode, retry_after: int) -> Any:
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN)]
    if refusal.status == 429:
        details.append(
            error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_after))
        )
    status = status_pb2.Status(code=code.value[0], message=refusal.message)
    for detail in details:
        status.details.append(_any(detail))
    return status


def _details(refusal: Refusal, retry_after: int) -> str:
    status = _rpc_status(refusal, refusal.code, retry_after)
    # Unpadded, as the HTTP/2 protocol specification of gRPC asks for.
    return base64.b64encode(status.SerializeToString()).decode("ascii").rstrip("=")


def _any(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _text(template: str, content_type: str) -> Any:
    return substitution_format_string_pb2.SubstitutionFormatString(
        text_format_source=base_pb2.DataSource(inline_string=template), content_type=content_type
    )


def _header(name: str, value: str, *, unless_said: bool = False) -> Any:
    option = base_pb2.HeaderValueOption
    return option(
        header=base_pb2.HeaderValue(key=name, value=value),
        append_action=option.ADD_IF_ABSENT if unless_said else option.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def _all(*filters: Any) -> Any:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))


def _status(status: int) -> Any:
    return accesslog_pb2.AccessLogFilter(
        status_code_filter=accesslog_pb2.StatusCodeFilter(
            comparison=accesslog_pb2.ComparisonFilter(
                op=accesslog_pb2.ComparisonFilter.EQ,
                value=base_pb2.RuntimeUInt32(
                    default_value=status, runtime_key=f"viva.local_reply.{status}"
                ),
            )
        )
    )


def _denied() -> Any:
    """Denied by the gateway, in its own words."""
    return accesslog_pb2.AccessLogFilter(
        response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=["UAEX"])
    )


def _content_type(prefix: str) -> Any:
    return accesslog_pb2.AccessLogFilter(
        header_filter=accesslog_pb2.HeaderFilter(
            header=route_components_pb2.HeaderMatcher(
                name="content-type", string_match=string_pb2.StringMatcher(prefix=prefix)
            )
        )
    )


def _not_transcoded() -> Any:
    """Not JSON: to the filters behind the transcoder that looks like gRPC."""
    return accesslog_pb2.AccessLogFilter(
        header_filter=accesslog_pb2.HeaderFilter(
            header=route_components_pb2.HeaderMatcher(
                name="x-envoy-original-path", present_match=True, invert_match=True
            )
        )
    )


BY_STATUS: Mapping[int, Refusal] = {refusal.status: refusal for refusal in REFUSALS}
