"""Where the edge leads: public methods as gRPC, gRPC-Web and JSON; WebSockets and the page.

The first route that matches counts, so the order is: what is malformed, sockets, methods, JSON,
what is known but asked for wrongly, the page, nothing. Every path has a route: filters that look
for their settings at the route must never find none (a JSON request once passed authorisation so).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.buffer.v3 import buffer_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf import any_pb2

from edge.envoy.callers import (
    EDGE_CALLERS,
    caller_headers,
    header_if_absent,
    header_instead,
)
from edge.envoy.claims import ADDRESS_HEADER
from edge.envoy.contracts import GATEWAY, Access, Contract, JsonForm, Method
from edge.envoy.edge_limits import Kind, counted_as, kind_of
from edge.envoy.extensions import FALSE, TRUE, packed, seconds, uint64
from edge.envoy.identity import nobody_asked, of_method
from edge.envoy.local_replies import BY_STATUS, GRPC
from edge.envoy.routing import RETRY_BUFFER_BYTES, forward, malformed_timeout_route
from edge.envoy.security_headers import security_headers
from edge.envoy.settings import EnvoySettings

BUFFER = "envoy.filters.http.buffer"
CORS = "envoy.filters.http.cors"
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
BRIDGE_CLUSTER = "bridge"

NO_ACCOUNTS = "nobody can sign in here: no gateway runs"

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
_EXPOSED_HEADERS = (
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "retry-after",
    "x-request-id",
)
_OTHER_HOST = "this host name is not served here; VIVA_ENVOY_ALLOWED_HOSTS lists those that are"
_HTTP_SEGMENT = re.compile(r"\{[^}]*\}")
# /package.Service/Method, as no file of the page is called.
_METHOD_PATH = r"/[A-Za-z][\w.]*\.[A-Z]\w*/\w+"

_Match = route_components_pb2.RouteMatch
_Header = route_components_pb2.HeaderMatcher


def edge_routes(settings: EnvoySettings, name: str, public: Sequence[Contract]) -> Any:
    """The routes of browsers' listener, for the host names it answers to."""
    routes = [
        _unasked(settings, _preflight_route(public)),
        *(_sockets(settings, public) if settings.has_bridge else ()),
        *_method_routes(settings, public),
        *(_page(settings) if settings.has_bridge else ()),
        _refused(settings, "not found", _Match(prefix="/"), 404),
    ]
    own = _host(settings, name, settings.allowed_hosts, routes)
    own.typed_per_filter_config[CORS].CopyFrom(packed(_cors(settings, public)))
    others = _refused(settings, "other host", _Match(prefix="/"), 403, _OTHER_HOST)
    configuration = _configuration(
        settings, name, [own, _host(settings, "other-hosts", ["*"], [others])]
    )
    configuration.response_headers_to_add.extend(security_headers(settings))
    return configuration


def bridge_routes(settings: EnvoySettings, name: str, public: Sequence[Contract]) -> Any:
    """The routes of the bridge's listener: the methods, for callers who are known already."""
    routes = [
        *_method_routes(settings, public),
        _refused(settings, "not found", _Match(prefix="/"), 404),
    ]
    return _configuration(settings, name, [_host(settings, name, ["*"], routes)])


def _configuration(settings: EnvoySettings, name: str, hosts: Sequence[Any]) -> Any:
    return route_pb2.RouteConfiguration(
        name=name,
        ignore_port_in_host_matching=True,
        request_headers_to_add=[
            *caller_headers(EDGE_CALLERS),
            *header_if_absent(ADDRESS_HEADER, EDGE_CALLERS),
            *header_instead("x-forwarded-for", EDGE_CALLERS),
        ],
        virtual_hosts=hosts,
    )


def _host(settings: EnvoySettings, name: str, domains: Sequence[str], routes: Sequence[Any]) -> Any:
    return route_components_pb2.VirtualHost(
        name=name,
        domains=list(domains),
        routes=[_unasked(settings, malformed_timeout_route()), *routes],
        request_body_buffer_limit=uint64(RETRY_BUFFER_BYTES),
    )


def _unasked(settings: EnvoySettings, route: Any) -> Any:
    """The route as one that leads to no method."""
    for key, value in _no_method(settings).items():
        route.typed_per_filter_config[key].CopyFrom(value)
    return route


def _no_method(settings: EnvoySettings) -> dict[str, any_pb2.Any]:
    """Settings of routes that lead to no method: no body is waited for, nobody is asked."""
    return {
        **nobody_asked(settings),
        BUFFER: packed(buffer_pb2.BufferPerRoute(disabled=True)),
        # It would answer what it finds no method for, in its own way.
        TRANSCODER: packed(route_components_pb2.FilterConfig(disabled=True)),
    }


def _method_routes(settings: EnvoySettings, public: Iterable[Contract]) -> Iterable[Any]:
    forms: dict[str, list[str]] = defaultdict(list)
    for contract in public:
        for method in contract.methods:
            if method.access is Access.CLOSED:
                continue
            yield _grpc_route(settings, contract, method)
            yield _refused(settings, f"{method.path} not gRPC", _Match(path=method.path), 415)
            for form in method.http:
                forms[form.path].append(form.verb)
                yield _json_route(settings, contract, method, form)
        yield _refused(
            settings, f"{contract.name} unknown", _Match(prefix=f"/{contract.name}/"), 404
        )
    for template, verbs in forms.items():
        yield _wrong_verb(settings, template, verbs)


def _grpc_route(settings: EnvoySettings, contract: Contract, method: Method) -> Any:
    match = _Match(
        path=method.path,
        headers=[
            _Header(name="content-type", string_match=string_pb2.StringMatcher(prefix=GRPC)),
            _verb("POST"),
        ],
    )
    return _to_method(settings, contract, method, method.path, match)


def _json_route(settings: EnvoySettings, contract: Contract, method: Method, form: JsonForm) -> Any:
    match = _Match(
        safe_regex=regex_pb2.RegexMatcher(regex=path_pattern(form.path)),
        headers=[_verb(form.verb)],
    )
    name = f"{form.verb} {form.path}"
    return _to_method(settings, contract, method, name, match, form)


def _to_method(
    settings: EnvoySettings,
    contract: Contract,
    method: Method,
    name: str,
    match: Any,
    form: JsonForm | None = None,
) -> Any:
    if method.access is not Access.PUBLIC and not settings.has_accounts:
        return _refused(settings, name, match, 401, NO_ACCOUNTS)
    streams = method.client_streaming or method.server_streaming
    action = forward(contract.name, retried=method.idempotent)
    action.max_stream_duration.max_stream_duration.CopyFrom(
        seconds(settings.edge_stream_seconds if streams else settings.edge_request_seconds)
    )
    options = of_method(settings, method, form)
    if method.client_streaming:
        # A stream that must arrive whole before it is passed on would be no stream.
        options[BUFFER] = packed(buffer_pb2.BufferPerRoute(disabled=True))
    return route_components_pb2.Route(
        name=name,
        match=match,
        route=action,
        metadata=counted_as(kind_of(method.path)),
        typed_per_filter_config=options,
        # A token is for those who issue it: a server that needs none cannot lose any.
        request_headers_to_remove=() if contract.server == GATEWAY else ("authorization", "cookie"),
    )


def _wrong_verb(settings: EnvoySettings, template: str, verbs: Sequence[str]) -> Any:
    match = _Match(safe_regex=regex_pb2.RegexMatcher(regex=path_pattern(template)))
    route = _refused(settings, f"{template} wrong verb", match, 405)
    route.response_headers_to_add.append(
        base_pb2.HeaderValueOption(
            header=base_pb2.HeaderValue(key="allow", value=", ".join(sorted(set(verbs))))
        )
    )
    return route


def path_pattern(template: str) -> str:
    """The regular expression (RE2) of the paths a `google.api.http` template stands for.

    Only templates whose variables are one path segment each, as all of ours are.
    """
    literals = _HTTP_SEGMENT.split(template)
    return "[^/:]+".join(re.escape(literal) for literal in literals)


def _sockets(settings: EnvoySettings, public: Iterable[Contract]) -> Iterable[Any]:
    """WebSockets of the public services; elsewhere Envoy refuses upgrades."""
    for contract in public:
        action = forward(BRIDGE_CLUSTER)
        action.upgrade_configs.append(
            route_components_pb2.RouteAction.UpgradeConfig(upgrade_type="websocket", enabled=TRUE)
        )
        action.max_stream_duration.max_stream_duration.CopyFrom(
            seconds(settings.edge_stream_seconds)
        )
        yield route_components_pb2.Route(
            name=f"{contract.name} WebSocket",
            match=_Match(
                prefix=f"/{contract.name}/",
                headers=[
                    _Header(
                        name="upgrade",
                        string_match=string_pb2.StringMatcher(exact="websocket", ignore_case=True),
                    ),
                    _verb("GET"),
                ],
            ),
            route=action,
            typed_per_filter_config=_no_method(settings),
        )


def _page(settings: EnvoySettings) -> Iterable[Any]:
    """The files of the page, whatever they are called, save what looks like a method or JSON."""
    not_files = (
        _Match(prefix="/v1/"),
        _Match(path="/v1"),
        _Match(safe_regex=regex_pb2.RegexMatcher(regex=_METHOD_PATH)),
    )
    for match in not_files:
        yield _refused(settings, "not found", match, 404)
    for verb in ("GET", "HEAD"):
        action = forward(BRIDGE_CLUSTER)
        action.max_stream_duration.max_stream_duration.CopyFrom(
            seconds(settings.edge_request_seconds)
        )
        yield route_components_pb2.Route(
            name="page",
            match=_Match(prefix="/", headers=[_verb(verb)]),
            route=action,
            metadata=counted_as(Kind.PAGE),
            typed_per_filter_config=_no_method(settings),
        )


def _verb(verb: str) -> Any:
    return _Header(name=":method", string_match=string_pb2.StringMatcher(exact=verb))


def _refused(
    settings: EnvoySettings, name: str, match: Any, status: int, message: str | None = None
) -> Any:
    """Envoy's own answer, at once: no body is waited for."""
    return route_components_pb2.Route(
        name=name,
        match=match,
        direct_response=route_components_pb2.DirectResponseAction(
            status=status,
            body=base_pb2.DataSource(inline_string=message or BY_STATUS[status].message),
        ),
        typed_per_filter_config=_no_method(settings),
    )


def _preflight_route(public: Sequence[Contract]) -> Any:
    """Gives a browser's preflight a route, and with it the CORS policy that answers it.

    The CORS filter looks at routes that forward and at no others. It answers every request this
    one matches, so that none of them is forwarded.
    """
    return route_components_pb2.Route(
        name="preflight",
        match=_Match(
            prefix="/",
            headers=[
                _verb("OPTIONS"),
                *(
                    _Header(name=name, present_match=True)
                    for name in ("origin", "access-control-request-method")
                ),
            ],
        ),
        route=forward(public[0].name),
    )


def _cors(settings: EnvoySettings, public: Sequence[Contract]) -> Any:
    verbs = {
        form.verb for contract in public for method in contract.methods for form in method.http
    }
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
