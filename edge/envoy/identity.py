"""Who calls at the edge: Envoy verifies the token, the gateway says whether it still counts.

Every route says which of the two it asks. Where a route says nothing, both refuse.
"""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import config_source_pb2, grpc_service_pb2, http_uri_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2
from envoy.extensions.filters.http.jwt_authn.v3 import config_pb2 as jwt_pb2
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import http_status_pb2
from google.protobuf import any_pb2, empty_pb2

from edge.envoy.claims import (
    AUDIENCE,
    BODY,
    CLAIMS,
    EXT_AUTHZ,
    ISSUER,
    JWT_FILTER,
    METHOD,
    SESSION_HEADER,
    USER_HEADER,
)
from edge.envoy.contracts import Access, JsonForm, Method
from edge.envoy.extensions import packed, seconds
from edge.envoy.settings import EnvoySettings

JWT_AUTHN = JWT_FILTER

KEYS_CLUSTER = "gateway-keys"
KEYS_PATH = "/.well-known/jwks.json"
AUTHORIZATION_CLUSTER = "authorization"

_PROVIDER = "viva"
_ANYBODY = "anybody"
_SIGNED_IN = "signed-in"

# A key is published a good while before it signs; so long does Envoy take to learn of it.
KEYS_SECONDS = 30.0
_KEYS_TIMEOUT_SECONDS = 2.0
# Of a gateway that starts after Envoy.
_KEYS_RETRY_SECONDS = 1.0
# Its answer takes a lookup; one that takes so long is not there.
_DECISION_SECONDS = 2.0


def token_verification() -> Any:
    """The filter that verifies tokens (`envoy.extensions.filters.http.jwt_authn.v3`)."""
    provider = jwt_pb2.JwtProvider(
        issuer=ISSUER,
        audiences=[AUDIENCE],
        require_expiration=True,
        # By default the query would be looked at too, and queries end up in logs.
        from_headers=[jwt_pb2.JwtHeader(name="authorization", value_prefix="Bearer ")],
        # Routes take it away where the server is not the gateway.
        forward=True,
        payload_in_metadata=CLAIMS,
        # Keys and tokens are of machines that keep the time.
        clock_skew_seconds=5,
        claim_to_headers=[
            jwt_pb2.JwtClaimToHeader(header_name=USER_HEADER, claim_name="sub"),
            jwt_pb2.JwtClaimToHeader(header_name=SESSION_HEADER, claim_name="sid"),
        ],
        remote_jwks=jwt_pb2.RemoteJwks(
            http_uri=http_uri_pb2.HttpUri(
                uri=f"http://{KEYS_CLUSTER}{KEYS_PATH}",
                cluster=KEYS_CLUSTER,
                timeout=seconds(_KEYS_TIMEOUT_SECONDS),
            ),
            cache_duration=seconds(KEYS_SECONDS),
            async_fetch=jwt_pb2.JwksAsyncFetch(
                # The public methods do not wait for the gateway.
                fast_listener=True,
                failed_refetch_duration=seconds(_KEYS_RETRY_SECONDS),
            ),
        ),
    )
    required = jwt_pb2.JwtRequirement(provider_name=_PROVIDER)
    return jwt_pb2.JwtAuthentication(
        providers={_PROVIDER: provider},
        requirement_map={
            _SIGNED_IN: required,
            _ANYBODY: jwt_pb2.JwtRequirement(
                requires_any=jwt_pb2.JwtRequirementOrList(
                    requirements=[
                        required,
                        # Missing is allowed, bad is not.
                        jwt_pb2.JwtRequirement(allow_missing=empty_pb2.Empty()),
                    ]
                )
            ),
        },
        rules=[
            jwt_pb2.RequirementRule(
                match=route_components_pb2.RouteMatch(prefix="/"), requires=required
            )
        ],
    )


def authorization() -> Any:
    """The filter that asks the gateway (`envoy.extensions.filters.http.ext_authz.v3`)."""
    return ext_authz_pb2.ExtAuthz(
        grpc_service=grpc_service_pb2.GrpcService(
            envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=AUTHORIZATION_CLUSTER),
            timeout=seconds(_DECISION_SECONDS),
        ),
        transport_api_version=config_source_pb2.ApiVersion.V3,
        failure_mode_allow=False,
        status_on_error=http_status_pb2.HttpStatus(code=http_status_pb2.ServiceUnavailable),
        metadata_context_namespaces=[JWT_AUTHN],
        validate_mutations=True,
        # It decides by the method and the verified claims, and of JSON by the names in the body;
        # what else was sent is none of its business.
        allowed_headers=string_pb2.ListStringMatcher(
            patterns=[string_pb2.StringMatcher(exact="x-request-id")]
        ),
    )


def of_method(
    settings: EnvoySettings, method: Method, form: JsonForm | None = None
) -> dict[str, any_pb2.Any]:
    """Who is asked about a call of the method, as settings of its routes.

    Args:
        settings: Whether there is anybody to ask.
        method: Called.
        form: The JSON it is called in: the transcoder drops fields that it does not know, so the
            gateway sees the body first. None for gRPC.
    """
    if not settings.has_accounts:
        return {}
    public = method.access is Access.PUBLIC
    requirement = jwt_pb2.PerRouteConfig(requirement_name=_ANYBODY if public else _SIGNED_IN)
    asked = ext_authz_pb2.CheckSettings(context_extensions={METHOD: method.path})
    # Without a body of its own a form still takes one, by what the transcoder makes of it.
    if form is not None and (form.body or not public):
        asked.context_extensions[BODY] = form.body or "*"
        # As text: `pack_as_bytes` does nothing here (envoy#35623). Bytes that are no UTF-8 come as
        # "!", which changes no name into one that is known.
        asked.with_request_body.max_request_bytes = settings.edge_max_request_bytes
    elif public:
        return {
            JWT_AUTHN: packed(requirement),
            EXT_AUTHZ: packed(ext_authz_pb2.ExtAuthzPerRoute(disabled=True)),
        }
    return {
        JWT_AUTHN: packed(requirement),
        EXT_AUTHZ: packed(ext_authz_pb2.ExtAuthzPerRoute(check_settings=asked)),
    }


def nobody_asked(settings: EnvoySettings) -> dict[str, any_pb2.Any]:
    """For routes that lead to no method: Envoy answers itself, or a file is served."""
    if not settings.has_accounts:
        return {}
    return {
        JWT_AUTHN: packed(jwt_pb2.PerRouteConfig(disabled=True)),
        EXT_AUTHZ: packed(ext_authz_pb2.ExtAuthzPerRoute(disabled=True)),
    }
