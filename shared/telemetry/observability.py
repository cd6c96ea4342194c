"""Logs are one JSON object per line on standard output, with the ids of request and event, and no personal data."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from prometheus_client import REGISTRY, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from shared.settings import Settings
from shared.telemetry.tracing import trace_ids

REQUESTS = Histogram(
    "guildhall_request_seconds",
    "Time to answer a request.",
    ["service", "operation", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)

_SILENT = ("uvicorn.access", "aiokafka", "httpx", "httpcore", "asyncio", "sqlalchemy.engine")
"""Loggers whose lines below a warning say what ours say better, or what nobody asked."""


def set_up_logs(settings: Settings, service: str) -> None:
    """Send our logs, and those of the libraries, to standard output in the format of the settings."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
        _trace,
    ]
    rendered: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if settings.log_format == "json":
        rendered += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        rendered += [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendered))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.WARNING)


def _trace(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.update(trace_ids())
    return event


def _service(name: str) -> Any:
    def add(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = event.get("service", name)
        return event

    return add


def metrics_page() -> tuple[bytes, str]:
    """All metrics of this process as Prometheus reads them, and their media type."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
