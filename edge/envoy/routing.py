"""The routes to the contracts' methods: which may be retried, which may take how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import (
    previous_priorities_config_pb2,
)
from envoy.type.matcher.v3 import regex_pb2, string_pb2
from google.protobuf import any_pb2

from edge.envoy.contracts import Contract, Method
from edge.envoy.extensions import packed, seconds, uint32

# A request larger than this is passed on without being kept for a retry.
RETRY_BUFFER_BYTES = 1024 * 1024


# HTTP2 protocol specification of gRPC: at most eight digits, then a unit.
_GRPC_TIMEOUT = "[0-9]{1,8}[HMSmun]"


def malformed_timeout_route() -> Any:
    """Refuses what no server could parse; the first route of a host."""
    matcher = route_components_pb2.HeaderMatcher
    return route_components_pb2.Route(
        name="malformed grpc-timeout",
        match=route_components_pb2.RouteMatch(
            prefix="/",
            headers=[
                matcher(name="grpc-timeout", present_match=True),
                matcher(
                    name="grpc-timeout",
                    string_match=string_pb2.StringMatcher(
                        safe_regex=regex_pb2.RegexMatcher(regex=_GRPC_TIMEOUT)
                    ),
                    invert_match=True,
                ),
            ],
        ),
        direct_response=route_components_pb2.DirectResponseAction(
            status=400, body=base_pb2.DataSource(inline_string="grpc-timeout is malformed")
        ),
    )


def grpc_routes(
    contract: Contract,
    *,
    method_options: Mapping[str, Mapping[str, any_pb2.Any]] | None = None,
) -> Iterable[Any]:
    """Routes of a service: one for each method that may be retried, one for the rest.

    `method_options` are filters' settings by method path.
    """
    options = method_options or {}
    for method in contract.methods:
        if method.idempotent or method.path in options:
            yield _method_route(contract, method, options.get(method.path, {}))
    yield service_route(contract.name, cluster=contract.name)


def service_route(service: str, *, cluster: str) -> Any:
    """The route of every method of `service`, without retries."""
    return route_components_pb2.Route(
        name=service,
        match=route_components_pb2.RouteMatch(prefix=f"/{service}/"),
        route=forward(cluster),
    )


def _method_route(contract: Contract, method: Method, options: Mapping[str, any_pb2.Any]) -> Any:
    return route_components_pb2.Route(
        name=f"{contract.name}/{method.name}",
        match=route_components_pb2.RouteMatch(path=method.path),
        route=forward(contract.name, retried=method.idempotent),
        typed_per_filter_config=dict(options),
    )


def forward(cluster: str, *, retried: bool = False) -> Any:
    """Passes the request to `cluster`. The caller's deadline is the only limit on its time."""
    return route_components_pb2.RouteAction(
        cluster=cluster,
        timeout=seconds(0),
        retry_policy=_retry_policy() if retried else None,
    )


def _retry_policy() -> Any:
    policy = route_components_pb2.RetryPolicy
    return policy(
        # "reset" is a server that died with the call in its hands; "cancelled" one that gave it up,
        # as grpc does with calls at its end. Of a client that cancels nothing is left to retry.
        retry_on="connect-failure,refused-stream,reset,unavailable,cancelled",
        num_retries=uint32(2),
        retry_back_off=policy.RetryBackOff(
            base_interval=seconds(0.025), max_interval=seconds(0.25)
        ),
        # Another endpoint than the one that failed, if there is one. The balancer prefers the idle,
        # which is what a dead one looks like, so it takes some asking.
        retry_host_predicate=[_another_endpoint()],
        host_selection_retry_max_attempts=32,
        # The second retry goes to the fallbacks, if there are any.
        retry_priority=policy.RetryPriority(
            name="envoy.retry_priorities.previous_priorities",
            typed_config=packed(
                previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=2)
            ),
        ),
    )


def _another_endpoint() -> Any:
    return route_components_pb2.RetryPolicy.RetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts",
        typed_config=packed(previous_hosts_pb2.PreviousHostsPredicate()),
    )
