"""Traces from the request through log and topic to the read model; off unless an endpoint is set.

The SDK and the exporter are imported only when tracing is set up; until then everything here is one comparison. What
is carried with an event is the append's place in a trace that is sampled: an event nobody traces carries nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.events.event import Recorded
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Stage = Literal["relay", "project"]

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_KINDS = {"relay": trace.SpanKind.PRODUCER, "project": trace.SpanKind.CONSUMER}
_carrier = TraceContextTextMapPropagator()
_off: AbstractContextManager[str | None] = nullcontext()
_provider: TracerProvider | None = None
_tracer: trace.Tracer | None = None


def set_up_tracing(settings: Settings, service: str) -> bool:
    """Send spans to the endpoint of the settings, else to that of OpenTelemetry's own variables; False without one.

    Which share of the requests is traced is said by `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
    """
    global _provider, _tracer
    if not settings.otlp_endpoint and not any(os.environ.get(name) for name in _ENDPOINTS):
        return False
    from shared.telemetry.tracing_export import start

    _provider = start(service, settings.otlp_endpoint)
    _tracer = _provider.get_tracer("guildhall")
    return True


def provider() -> TracerProvider | None:
    """For those who make spans of their own; None while tracing is off."""
    return _provider


def close_tracing() -> None:
    """Send what waits, for a moment, and turn tracing off."""
    global _provider, _tracer
    if _provider is not None:
        from shared.telemetry.tracing_export import stop

        stop(_provider)
    _provider = _tracer = None


def trace_ids() -> dict[str, str]:
    """The current trace and span for a line in the log; empty while tracing is off or nothing is traced."""
    if _tracer is None:
        return {}
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(found.trace_id), "span_id": trace.format_span_id(found.span_id)}


def appending(service: str) -> AbstractContextManager[str | None]:
    """A span around an append. Gives what its events are to carry: None unless they are traced."""
    return _off if _tracer is None else _appending(_tracer, service)


@contextmanager
def _appending(tracer: trace.Tracer, service: str) -> Iterator[str | None]:
    # Refusals and conflicts are answers, not faults of the append, and their words may be a member's.
    with tracer.start_as_current_span(
        "append", attributes={"guildhall.service": service}, record_exception=False
    ) as span:
        carried: dict[str, str] = {}
        if span.get_span_context().trace_flags.sampled:
            _carrier.inject(carried)
        yield carried.get("traceparent")


def carried(stage: Stage, records: Iterable[Recorded], began: int, **attributes: str) -> None:
    """A span for each of the records that is traced, from `began` (`time.time_ns()`) to now, below its append's."""
    if _tracer is None:
        return
    ended = time.time_ns()
    for record in records:
        if record.traceparent is None:
            continue
        parent = _carrier.extract({"traceparent": record.traceparent})
        if not trace.get_current_span(parent).get_span_context().is_valid:
            continue  # somebody else's record, with something else in it
        span = _tracer.start_span(
            stage,
            context=parent,
            kind=_KINDS[stage],
            start_time=began,
            attributes={
                "guildhall.service": record.service,
                "guildhall.partition": record.partition,
                "guildhall.position": record.position,
                "guildhall.event": record.type,
                **attributes,
            },
        )
        span.end(ended)
