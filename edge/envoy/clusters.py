"""One cluster a service: who may answer it, and when an endpoint stops being asked.

A cluster is a service rather than a server because Envoy checks the health of one service name a
cluster, and a server's services become ready one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2, health_check_pb2, protocol_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import percent_pb2

from edge.envoy.endpoints import load_assignment
from edge.envoy.extensions import TRUE, packed, seconds, uint32
from edge.envoy.settings import Endpoint, Replicas
from services.runtime.collector import Collector

HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# A server drains for 2.5 s after it says NOT_SERVING: two checks a second apart fit.
HEALTH_CHECK_SECONDS = 1.0
UNHEALTHY_CHECKS = 2

# A replica that hangs holds its calls no longer than these together, then they are UNAVAILABLE and
# may be sent to another; servers allow for so many pings (services/runtime/server.py).
PING_SECONDS = 3.0
PING_TIMEOUT_SECONDS = 3.0

MIN_RETRY_CONCURRENCY = 128

# A 128 MiB upload over one stream should not wait for a window update every 64 KiB.
STREAM_WINDOW_BYTES = 4 * 1024 * 1024
CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
CONNECTION_BUFFER_BYTES = 4 * 1024 * 1024


def service_cluster(name: str, replicas: Replicas, *, health_service: str, endpoints: Path) -> Any:
    """The cluster of one service, checked by gRPC health under `health_service`.

    Replicas with IP addresses are read from the file `endpoints` whenever it is replaced; names
    are resolved again and again.
    """
    return cluster_pb2.Cluster(
        name=name,
        connect_timeout=seconds(1),
        per_connection_buffer_limit_bytes=uint32(CONNECTION_BUFFER_BYTES),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        least_request_lb_config=cluster_pb2.Cluster.LeastRequestLbConfig(choice_count=uint32(2)),
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            # An unhealthy endpoint is never asked: UNAVAILABLE at once is the better answer.
            healthy_panic_threshold=percent_pb2.Percent(value=0),
            # Envoy would keep a second change of health within a second to itself until that is
            # over: an endpoint that drains would still be asked when it has stopped.
            update_merge_window=seconds(0),
        ),
        health_checks=[_health_check(health_service)],
        outlier_detection=_outlier_detection(),
        circuit_breakers=_circuit_breakers(),
        **_addressing(name, replicas, endpoints),
        typed_extension_protocol_options={HTTP_PROTOCOL_OPTIONS: packed(_http2(replica=True))},
    )


def collector_cluster(name: str, collector: Collector, authorities: Path) -> Any:
    """The cluster of the trace collector: best effort, so without checks.

    `authorities` is the file of those who may have signed the certificate of one over TLS.
    """
    endpoint = Endpoint(collector.host, collector.port)
    return cluster_pb2.Cluster(
        name=name,
        connect_timeout=seconds(1),
        transport_socket=_tls(endpoint, authorities) if collector.tls else None,
        **_addressing(name, Replicas(primary=(endpoint,)), None),
        typed_extension_protocol_options={HTTP_PROTOCOL_OPTIONS: packed(_http2())},
    )


def http_cluster(name: str, address: str) -> Any:
    """The cluster of an HTTP/1.1 server of ours, host:port, whose health is not asked for."""
    return cluster_pb2.Cluster(
        name=name,
        connect_timeout=seconds(1),
        per_connection_buffer_limit_bytes=uint32(CONNECTION_BUFFER_BYTES),
        circuit_breakers=_circuit_breakers(),
        **_addressing(name, Replicas(primary=(Endpoint.parse(address),)), None),
    )


def _tls(endpoint: Endpoint, authorities: Path) -> Any:
    sans = common_pb2.SubjectAltNameMatcher
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.tls",
        typed_config=packed(
            tls_pb2.UpstreamTlsContext(
                sni="" if endpoint.is_ip else endpoint.host,
                common_tls_context=tls_pb2.CommonTlsContext(
                    alpn_protocols=["h2"],
                    validation_context=common_pb2.CertificateValidationContext(
                        trusted_ca=base_pb2.DataSource(filename=str(authorities)),
                        match_typed_subject_alt_names=[
                            sans(
                                san_type=sans.IP_ADDRESS if endpoint.is_ip else sans.DNS,
                                matcher=string_pb2.StringMatcher(exact=endpoint.host),
                            )
                        ],
                    ),
                ),
            )
        ),
    )


def _addressing(name: str, replicas: Replicas, endpoints: Path | None) -> dict[str, Any]:
    if replicas.are_named or endpoints is None:
        named = replicas.are_named
        return {
            "type": cluster_pb2.Cluster.STRICT_DNS if named else cluster_pb2.Cluster.STATIC,
            "dns_lookup_family": cluster_pb2.Cluster.V4_PREFERRED,
            "load_assignment": load_assignment(name, replicas),
        }
    return {
        "type": cluster_pb2.Cluster.EDS,
        "eds_cluster_config": cluster_pb2.Cluster.EdsClusterConfig(
            # Services of one server share its file, which calls itself by the server's name.
            service_name=endpoints.stem,
            eds_config=config_source_pb2.ConfigSource(
                path_config_source=config_source_pb2.PathConfigSource(
                    path=str(endpoints),
                    watched_directory=base_pb2.WatchedDirectory(path=str(endpoints.parent)),
                ),
                resource_api_version=config_source_pb2.ApiVersion.V3,
            ),
        ),
        # Who takes an endpoint out says when: Envoy would ask it for as long as it is healthy.
        "ignore_health_on_host_removal": True,
    }


def _health_check(service: str) -> Any:
    return health_check_pb2.HealthCheck(
        grpc_health_check=health_check_pb2.HealthCheck.GrpcHealthCheck(service_name=service),
        timeout=seconds(HEALTH_CHECK_SECONDS),
        interval=seconds(HEALTH_CHECK_SECONDS),
        # Without these, Envoy checks an endpoint that has no traffic once a minute.
        no_traffic_interval=seconds(HEALTH_CHECK_SECONDS),
        no_traffic_healthy_interval=seconds(HEALTH_CHECK_SECONDS),
        unhealthy_threshold=uint32(UNHEALTHY_CHECKS),
        healthy_threshold=uint32(1),
    )


def _outlier_detection() -> Any:
    return outlier_detection_pb2.OutlierDetection(
        interval=seconds(1),
        base_ejection_time=seconds(5),
        max_ejection_time=seconds(60),
        # The last endpoint is never ejected: with one of two gone, half of them are.
        max_ejection_percent=uint32(50),
        # What Envoy itself sees (refused, reset, timed out) is told from what a server answers:
        # a server may say UNAVAILABLE because of what it depends on.
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=uint32(3),
        enforcing_consecutive_local_origin_failure=uint32(100),
        consecutive_gateway_failure=uint32(10),
        enforcing_consecutive_gateway_failure=uint32(100),
        # INTERNAL and UNKNOWN are often one caller's input; a success rate needs many endpoints.
        enforcing_consecutive_5xx=uint32(0),
        enforcing_success_rate=uint32(0),
        enforcing_local_origin_success_rate=uint32(0),
    )


def _circuit_breakers() -> Any:
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds
    return circuit_breaker_pb2.CircuitBreakers(
        thresholds=[
            thresholds(
                max_connections=uint32(1024),
                max_pending_requests=uint32(4096),
                max_requests=uint32(4096),
                # A replica that dies has all its calls sent again at once: half of those that run
                # when it was one of two. Servers refuse at once what they cannot do in time, so
                # retries cannot bury those that are left.
                retry_budget=thresholds.RetryBudget(
                    budget_percent=percent_pb2.Percent(value=20),
                    min_retry_concurrency=uint32(MIN_RETRY_CONCURRENCY),
                ),
                track_remaining=True,
            )
        ]
    )


def _http2(*, replica: bool = False) -> Any:
    options = http_protocol_options_pb2.HttpProtocolOptions
    http2 = http2_options()
    if replica:
        # Others may take so many pings for abuse.
        http2.connection_keepalive.interval.CopyFrom(seconds(PING_SECONDS))
        http2.connection_keepalive.timeout.CopyFrom(seconds(PING_TIMEOUT_SECONDS))
    return options(explicit_http_config=options.ExplicitHttpConfig(http2_protocol_options=http2))


def http2_options(*, max_concurrent_streams: int | None = None, trusted: bool = False) -> Any:
    """HTTP/2 with room for large messages, on a connection that notices when its peer is gone.

    Args:
        max_concurrent_streams: Limit on the streams of a connection; None means Envoy's own.
        trusted: Whether the peer may cancel as many streams as it likes. Envoy's usual codec,
            nghttp2, closes a connection on which more than 1,000 streams were cancelled, plus 33 a
            second: its guard against HTTP/2 rapid reset (CVE-2023-44487).
    """
    return protocol_pb2.Http2ProtocolOptions(
        max_concurrent_streams=(
            None if max_concurrent_streams is None else uint32(max_concurrent_streams)
        ),
        use_oghttp2_codec=TRUE if trusted else None,
        initial_stream_window_size=uint32(STREAM_WINDOW_BYTES),
        initial_connection_window_size=uint32(CONNECTION_WINDOW_BYTES),
        connection_keepalive=protocol_pb2.KeepaliveSettings(
            interval=seconds(30), timeout=seconds(10)
        ),
    )
