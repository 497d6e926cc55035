"""The edge listener: gRPC-Web and JSON to the public services, for browsers, and nothing else.

Until there are accounts it answers to this machine's own names only, so that neither another
machine nor a page that points its own name at this address (DNS rebinding) gets an answer, and it
refuses pages of other origins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from envoy.config.common.mutation_rules.v3 import mutation_rules_pb2
from envoy.config.core.v3 import base_pb2, extension_pb2, protocol_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.grpc_json_transcoder.v3 import transcoder_pb2
from envoy.extensions.filters.http.grpc_web.v3 import grpc_web_pb2
from envoy.extensions.filters.http.health_check.v3 import health_check_pb2
from envoy.extensions.filters.http.local_ratelimit.v3 import local_rate_limit_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as rbac_filter_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import header_mutation_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from envoy.type.v3 import percent_pb2, token_bucket_pb2

from edge.envoy.access_log import access_log
from edge.envoy.callers import EDGE_CALLERS, caller_headers
from edge.envoy.clusters import http2_options
from edge.envoy.contracts import Contract, Method
from edge.envoy.extensions import FALSE, TRUE, http_filter, packed, seconds, uint32, uint64
from edge.envoy.listener import http_listener
from edge.envoy.routing import (
    RETRY_BUFFER_BYTES,
    forward,
    grpc_routes,
    malformed_timeout_route,
)
from edge.envoy.settings import EnvoySettings
from edge.envoy.tracing import request_ids, tracing

EDGE = "edge"
HEALTH_PATH = "/healthz"
BUFFER = "envoy.filters.http.buffer"
CORS = "envoy.filters.http.cors"

# Only the mesh says these; from outside they would be forgeries.
INTERNAL_HEADER_PREFIXES = ("x-viva-", "x-envoy-", "x-forwarded-", "x-request-id")

_ALLOWED_HEADERS = (
    "authorization",
    "connect-protocol-version",
    "content-type",
    "grpc-timeout",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-user-agent",
)
_EXPOSED_HEADERS = ("grpc-message", "grpc-status", "grpc-status-details-bin", "x-request-id")
_HTTP_SEGMENT = re.compile(r"\{[^}]*\}")


def edge_listener(settings: EnvoySettings, services: Sequence[Contract], descriptors: Path) -> Any:
    """The listener; `descriptors` is the file that holds the contracts' descriptor set."""
    public = [contract for contract in services if contract.public]
    manager = http_connection_manager_pb2.HttpConnectionManager(
        stat_prefix=EDGE,
        http2_protocol_options=http2_options(max_concurrent_streams=100),
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            idle_timeout=seconds(3600),
            headers_with_underscores_action=protocol_pb2.HttpProtocolOptions.REJECT_REQUEST,
        ),
        route_config=_routes(settings, public),
        http_filters=_filters(settings, public, descriptors),
        access_log=[access_log(settings.access_log)],
        max_request_headers_kb=uint32(32),
        stream_idle_timeout=seconds(settings.stream_idle_seconds),
        request_headers_timeout=seconds(10),
        # The peer is the client, whatever address it claims.
        use_remote_address=TRUE,
        early_header_mutation_extensions=[_header_stripping()],
        request_id_extension=request_ids(),
        always_set_request_id_in_response=True,
        normalize_path=TRUE,
        merge_slashes=True,
        path_with_escaped_slashes_action=(
            http_connection_manager_pb2.HttpConnectionManager.REJECT_REQUEST
        ),
        tracing=tracing(settings),
    )
    return http_listener(EDGE, settings.edge_host, settings.edge_port, manager)


def _filters(settings: EnvoySettings, public: Sequence[Contract], descriptors: Path) -> list[Any]:
    """The chain; each filter sees what those before it let through."""
    return [
        http_filter("envoy.filters.http.health_check", _health(public)),
        http_filter("envoy.filters.http.local_ratelimit", _rate_limit(settings)),
        http_filter(CORS, cors_pb2.Cors()),
        http_filter("envoy.filters.http.rbac", _foreign_origins(settings)),
        http_filter(
            BUFFER, buffer_pb2.Buffer(max_request_bytes=uint32(settings.edge_max_request_bytes))
        ),
        http_filter("envoy.filters.http.grpc_web", grpc_web_pb2.GrpcWeb()),
        http_filter(
            "envoy.filters.http.grpc_json_transcoder", _transcoder(settings, public, descriptors)
        ),
        http_filter("envoy.filters.http.router", router_pb2.Router(suppress_envoy_headers=True)),
    ]


def _health(public: Sequence[Contract]) -> Any:
    """Healthy as long as every public service has an endpoint that is."""
    return health_check_pb2.HealthCheck(
        pass_through_mode=FALSE,
        headers=[
            route_components_pb2.HeaderMatcher(
                name=":path", string_match=string_pb2.StringMatcher(exact=HEALTH_PATH)
            )
        ],
        cluster_min_healthy_percentages={
            contract.name: percent_pb2.Percent(value=1) for contract in public
        },
    )


def _rate_limit(settings: EnvoySettings) -> Any:
    always = base_pb2.RuntimeFractionalPercent(
        default_value=percent_pb2.FractionalPercent(numerator=100)
    )
    return local_rate_limit_pb2.LocalRateLimit(
        stat_prefix=EDGE,
        token_bucket=token_bucket_pb2.TokenBucket(
            max_tokens=settings.edge_request_burst,
            tokens_per_fill=uint32(settings.edge_requests_per_second),
            fill_interval=seconds(1),
        ),
        filter_enabled=always,
        filter_enforced=always,
        rate_limited_as_resource_exhausted=True,
    )


def _foreign_origins(settings: EnvoySettings) -> Any:
    """Refuses requests that a page of another origin makes.

    CORS keeps such a page from reading the answer, not from causing it: a form can post.
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


def _header_stripping() -> Any:
    mutation = mutation_rules_pb2.HeaderMutation
    return extension_pb2.TypedExtensionConfig(
        name="envoy.http.early_header_mutation.header_mutation",
        typed_config=packed(
            header_mutation_pb2.HeaderMutation(
                mutations=[
                    mutation(
                        remove_on_match=mutation.RemoveOnMatch(
                            key_matcher=string_pb2.StringMatcher(prefix=prefix, ignore_case=True)
                        )
                    )
                    for prefix in INTERNAL_HEADER_PREFIXES
                ]
            )
        ),
    )


def _routes(settings: EnvoySettings, public: Sequence[Contract]) -> Any:
    return route_pb2.RouteConfiguration(
        name=EDGE,
        ignore_port_in_host_matching=True,
        request_headers_to_add=caller_headers(EDGE_CALLERS),
        virtual_hosts=[
            route_components_pb2.VirtualHost(
                name=EDGE,
                domains=list(settings.allowed_hosts),
                routes=[
                    malformed_timeout_route(),
                    *_public_routes(public),
                    _preflight_route(public),
                ],
                typed_per_filter_config={CORS: packed(_cors(settings, public))},
                request_body_buffer_limit=uint64(RETRY_BUFFER_BYTES),
            ),
            route_components_pb2.VirtualHost(
                name="other-hosts",
                domains=["*"],
                routes=[
                    route_components_pb2.Route(
                        name="refused",
                        match=route_components_pb2.RouteMatch(prefix="/"),
                        direct_response=route_components_pb2.DirectResponseAction(
                            status=403,
                            body=base_pb2.DataSource(
                                inline_string="this host name is not served here\n"
                            ),
                        ),
                    )
                ],
            ),
        ],
    )


def _public_routes(public: Iterable[Contract]) -> Iterable[Any]:
    for contract in public:
        yield from grpc_routes(
            contract,
            method_options={
                method.path: {BUFFER: packed(buffer_pb2.BufferPerRoute(disabled=True))}
                for method in contract.methods
                # A stream that must arrive whole before it is passed on would be no stream.
                if method.client_streaming
            },
        )
        for method in contract.methods:
            for verb, template in method.http:
                yield _json_route(contract, method, verb, template)


def _json_route(contract: Contract, method: Method, verb: str, template: str) -> Any:
    return route_components_pb2.Route(
        name=f"{verb} {template}",
        match=route_components_pb2.RouteMatch(
            safe_regex=regex_pb2.RegexMatcher(regex=path_pattern(template)),
            headers=[
                route_components_pb2.HeaderMatcher(
                    name=":method", string_match=string_pb2.StringMatcher(exact=verb)
                )
            ],
        ),
        route=forward(contract.name, retried=method.idempotent),
    )


def path_pattern(template: str) -> str:
    """The regular expression (RE2) of the paths a `google.api.http` template stands for.

    Only templates whose variables are one path segment each, as all of ours are.
    """
    literals = _HTTP_SEGMENT.split(template)
    return "[^/:]+".join(re.escape(literal) for literal in literals)


def _preflight_route(public: Sequence[Contract]) -> Any:
    """Gives a browser's preflight a route, and with it the CORS policy that answers it.

    The CORS filter looks at routes that forward and at no others. It answers every request this
    one matches, so that none of them is forwarded.
    """
    return route_components_pb2.Route(
        name="preflight",
        match=route_components_pb2.RouteMatch(
            prefix="/",
            headers=[
                route_components_pb2.HeaderMatcher(
                    name=":method", string_match=string_pb2.StringMatcher(exact="OPTIONS")
                ),
                *(
                    route_components_pb2.HeaderMatcher(name=name, present_match=True)
                    for name in ("origin", "access-control-request-method")
                ),
            ],
        ),
        route=forward(public[0].name),
    )


def _cors(settings: EnvoySettings, public: Sequence[Contract]) -> Any:
    verbs = {verb for contract in public for method in contract.methods for verb, _ in method.http}
    return cors_pb2.CorsPolicy(
        allow_origin_string_match=[
            string_pb2.StringMatcher(exact=origin) for origin in settings.origins
        ],
        allow_methods=", ".join(sorted({*verbs, "POST", "OPTIONS"})),
        allow_headers=", ".join(_ALLOWED_HEADERS),
        expose_headers=", ".join(_EXPOSED_HEADERS),
        max_age="7200",
        # Another origin's preflight ends here, rather than at a server.
        forward_not_matching_preflights=FALSE,
    )
