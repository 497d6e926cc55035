"""OpenTelemetry traces: exported over OTLP when an endpoint is set, otherwise free of cost."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_NAME = "viva"


@contextmanager
def tracing(service: str, endpoint: str | None) -> Iterator[None]:
    """Exports this process's spans to an OTLP/gRPC collector until the scope ends.

    Args:
        service: The `service.name` of the spans.
        endpoint: The collector; None records nothing.
    """
    if endpoint is None:
        yield
        return
    # Loaded only where it is used: xds-protos overwrites files that it needs, until `viva fetch`.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": f"viva-{service}"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https"))
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def record_span(
    name: str,
    parent: Context,
    *,
    seconds_ago: float,
    length: float,
    attributes: Mapping[str, str | int | float | bool] | None = None,
) -> None:
    """Records a span that is already over, if its parent is being recorded."""
    if not trace.get_current_span(parent).is_recording():
        return
    start = time.time_ns() - round(seconds_ago * 1e9)
    span = trace.get_tracer(_NAME).start_span(
        name, context=parent, start_time=start, attributes=attributes
    )
    span.end(end_time=start + round(length * 1e9))
