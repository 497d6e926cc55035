"""The edge's filters, in their order: each sees what those before it let through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from envoy.config.core.v3 import grpc_method_list_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.grpc_json_transcoder.v3 import transcoder_pb2
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2 as grpc_stats_pb2
from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as rbac_filter_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import percent_pb2

from edge.envoy.claims import EXT_AUTHZ
from edge.envoy.contracts import GATEWAY, Contract
from edge.envoy.edge_limits import address_limits, user_limits
from edge.envoy.edge_routes import BUFFER, CORS, TRANSCODER
from edge.envoy.extensions import FALSE, TRUE, http_filter, uint32
from edge.envoy.identity import JWT_AUTHN, authorization, token_verification
from edge.envoy.settings import EnvoySettings

HEALTH_PATH = "/healthz"


def edge_filters(
    settings: EnvoySettings, name: str, public: Sequence[Contract], descriptors: Path
) -> list[Any]:
    """The chain of the listener `name`; `descriptors` holds the contracts' descriptor set."""
    verified, decided = [], []
    if settings.has_accounts:
        verified = [
            http_filter(JWT_AUTHN, token_verification()),
            http_filter("viva.limits.users", user_limits(settings, name)),
        ]
        decided = [http_filter(EXT_AUTHZ, authorization())]
    return [
        http_filter("envoy.filters.http.health_check", _health(settings, public)),
        # First of those that refuse something: behind it a gRPC-Web call is a gRPC call, and Envoy
        # answers it in that form.
        http_filter("envoy.filters.http.grpc_web", grpc_web_pb2.GrpcWeb()),
        http_filter(CORS, cors_pb2.Cors()),
        http_filter("envoy.filters.http.rbac", _foreign_origins(settings)),
        http_filter("viva.limits.addresses", address_limits(settings, name)),
        *verified,
        # Behind the tokens, so that nobody's body is kept who has none; before the gateway, because
        # what waits for its answer is not counted here, and a body over the limit would wait on.
        http_filter(
            BUFFER, buffer_pb2.Buffer(max_request_bytes=uint32(settings.edge_max_request_bytes))
        ),
        *decided,
        http_filter(TRANSCODER, _transcoder(settings, public, descriptors)),
        http_filter("envoy.filters.http.grpc_stats", _stats(public)),
        http_filter("envoy.filters.http.router", router_pb2.Router(suppress_envoy_headers=True)),
    ]


def _health(settings: EnvoySettings, public: Sequence[Contract]) -> Any:
    """Healthy as long as every public service has an endpoint that is."""
    return health_check_pb2.HealthCheck(
        pass_through_mode=FALSE,
        headers=[
            route_components_pb2.HeaderMatcher(
                name=":path", string_match=string_pb2.StringMatcher(exact=HEALTH_PATH)
            )
        ],
        cluster_min_healthy_percentages={
            contract.name: percent_pb2.Percent(value=1)
            for contract in public
            if contract.server != GATEWAY or settings.has_accounts
        },
    )


def _foreign_origins(settings: EnvoySettings) -> Any:
    """Refuses requests that a page of another origin makes.

    CORS keeps such a page from reading the answer, not from causing it: a form can post, and a
    WebSocket knows no CORS at all.
    """
    foreign = rbac_pb2.Principal(
        and_ids=rbac_pb2.Principal.Set(
            ids=[
                rbac_pb2.Principal(
                    header=route_components_pb2.HeaderMatcher(name="origin", present_match=True)
                ),
                *(
                    rbac_pb2.Principal(
                        not_id=rbac_pb2.Principal(
                            header=route_components_pb2.HeaderMatcher(
                                name="origin", string_match=string_pb2.StringMatcher(exact=origin)
                            )
                        )
                    )
                    for origin in settings.origins
                ),
            ]
        )
    )
    return rbac_filter_pb2.RBAC(
        rules=rbac_pb2.RBAC(
            action=rbac_pb2.RBAC.DENY,
            policies={
                "foreign-origins": rbac_pb2.Policy(
                    permissions=[rbac_pb2.Permission(any=True)], principals=[foreign]
                )
            },
        )
    )


def _transcoder(settings: EnvoySettings, public: Sequence[Contract], descriptors: Path) -> Any:
    transcoder = transcoder_pb2.GrpcJsonTranscoder
    return transcoder(
        proto_descriptor=str(descriptors),
        services=[contract.name for contract in public],
        # Without it the route is looked up again for the gRPC path, and a filter that asks for
        # the route of the JSON path finds none and steps aside.
        match_incoming_request_route=True,
        convert_grpc_status=True,
        query_param_unescape_plus=True,
        request_validation_options=transcoder.RequestValidationOptions(
            reject_unknown_method=True, reject_unknown_query_parameters=True
        ),
        max_request_body_size=uint32(settings.edge_max_request_bytes),
        max_response_body_size=uint32(settings.edge_max_request_bytes),
    )


def _stats(public: Sequence[Contract]) -> Any:
    """Counts calls and their ends by method, of the contracts' methods alone."""
    return grpc_stats_pb2.FilterConfig(
        individual_method_stats_allowlist=grpc_method_list_pb2.GrpcMethodList(
            services=[
                grpc_method_list_pb2.GrpcMethodList.Service(
                    name=contract.name, method_names=[method.name for method in contract.methods]
                )
                for contract in public
            ]
        ),
        enable_upstream_stats=TRUE.value,
    )
