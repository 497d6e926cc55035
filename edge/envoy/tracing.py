"""Envoy's own spans, when there is a collector; trace headers pass either way."""

from __future__ import annotations

from typing import Any

from envoy.config.core.v3 import grpc_service_pb2
from envoy.config.trace.v3 import http_tracer_pb2, opentelemetry_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2,
)

from edge.envoy.extensions import packed
from edge.envoy.settings import EnvoySettings
from services.runtime.collector import Collector

COLLECTOR_CLUSTER = "otlp-collector"


def collector(settings: EnvoySettings) -> Collector | None:
    """Where spans are sent; None for nowhere."""
    if settings.otlp_endpoint is None:
        return None
    return Collector.parse(settings.otlp_endpoint)


def tracing(settings: EnvoySettings) -> Any:
    """A listener's tracing; None without a collector."""
    if collector(settings) is None:
        return None
    return http_connection_manager_pb2.HttpConnectionManager.Tracing(
        provider=http_tracer_pb2.Tracing.Http(
            name="envoy.tracers.opentelemetry",
            typed_config=packed(
                opentelemetry_pb2.OpenTelemetryConfig(
                    service_name="envoy",
                    grpc_service=grpc_service_pb2.GrpcService(
                        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(
                            cluster_name=COLLECTOR_CLUSTER
                        )
                    ),
                )
            ),
        )
    )
