"""The half of tracing that needs OpenTelemetry's SDK; imported only where an endpoint is set.

A path and a query may hold what somebody typed, so neither leaves the process; the route and the ids of the event do.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PATIENCE = 2.0
"""Seconds a receiver gets for a batch and a stop waits for it; what it misses are spans, never events."""

TYPED = ("url.path", "url.query")


class _Sender(BatchSpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for name in TYPED:
            if span.attributes is not None and name in span.attributes:
                span.set_attribute(name, "")


def start(service: str, endpoint: str) -> TracerProvider:
    """Spans of this service go to the endpoint; where that is empty, to the one of OpenTelemetry's own variables."""
    where = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
    resource = Resource.create({"service.name": service, "service.namespace": "guildhall"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(_Sender(OTLPSpanExporter(endpoint=where, timeout=PATIENCE)))
    return provider


def stop(provider: TracerProvider) -> None:
    """Send what waits, for a moment."""
    provider.force_flush(int(PATIENCE * 1000))
    provider.shutdown()
