"""OpenTelemetry traces: exported over OTLP when an endpoint is set, otherwise passed on alone."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import grpc
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from services.runtime.collector import Collector
from services.runtime.export_log import ExportLog

_NAME = "viva"
# A collector that is not there holds up the end of the process by no more than this.
_EXPORT_SECONDS = 2.0
_ids = RandomIdGenerator()

# The statuses that are a server's errors and not a caller's: OpenTelemetry's conventions for gRPC.
_ERRORS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
}


@contextmanager
def tracing(service: str, endpoint: str | None) -> Iterator[None]:
    """Exports this process's spans to an OTLP/gRPC collector until the scope ends.

    Args:
        service: The `service.name` of the spans.
        endpoint: The collector's URL; None records nothing. The certificate authority of one over
            TLS is the system's, or the file OTEL_EXPORTER_OTLP_CERTIFICATE.
    """
    if endpoint is None:
        yield
        return
    # Loaded only where it is used: xds-protos overwrites files that it needs, until `viva fetch`.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    log = ExportLog()

    class Exporter(OTLPSpanExporter):
        """Tells the log what worked."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = super().export(spans)
            if result is SpanExportResult.SUCCESS:
                log.worked()
            return result

    provider = TracerProvider(resource=Resource.create({"service.name": f"viva-{service}"}))
    exporter = Exporter(
        endpoint=endpoint, insecure=not Collector.parse(endpoint).tls, timeout=_EXPORT_SECONDS
    )
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    # A logger's filter is not asked about what its children log; a handler's is.
    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(log)
    try:
        yield
    finally:
        provider.shutdown()
        for handler in handlers:
            handler.removeFilter(log)


@contextmanager
def server_span(method: str, metadata: Mapping[str, str | bytes]) -> Iterator[trace.Span]:
    """The span of a call that is served, current until the scope ends.

    It continues the caller's trace. Without a collector nothing is recorded, but the trace reaches
    the log and onward calls; a call that came without one begins one.

    Args:
        method: The full method name, "/package.Service/Method".
        metadata: What the caller sent.
    """
    name = method.removeprefix("/")
    span = trace.get_tracer(_NAME).start_span(
        name,
        propagate.extract({key: value for key, value in metadata.items() if key[-4:] != "-bin"}),
        kind=trace.SpanKind.SERVER,
        attributes={"rpc.system.name": "grpc", "rpc.method": name},
    )
    if not span.get_span_context().is_valid:
        span = trace.NonRecordingSpan(
            trace.SpanContext(
                _ids.generate_trace_id(),
                _ids.generate_span_id(),
                is_remote=False,
                trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
            )
        )
    # An error's words may quote what somebody said: they belong in no span.
    with trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    ):
        yield span


def trace_alone() -> contextvars.Context:
    """A context that holds the current trace and nothing else: for what outlives its call.

    What is done in it continues the trace, but writes nothing on the call's span, which ends.
    """
    context = contextvars.Context()
    span = trace.NonRecordingSpan(trace.get_current_span().get_span_context())
    context.run(otel_context.attach, trace.set_span_in_context(span, otel_context.Context()))
    return context


def end_with(span: trace.Span, code: grpc.StatusCode) -> None:
    """Notes on a server's span how its call ended."""
    span.set_attribute("rpc.response.status_code", code.name)
    if code in _ERRORS:
        span.set_status(trace.StatusCode.ERROR)
