"""One process, one service: listen, and at a stop turn away first, finish what is open, and only then let go."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from shared.service.memory import keep_freed_memory
from shared.service.service import Only, Service, create_app
from shared.settings import Settings
from shared.telemetry.observability import set_up_logs
from shared.telemetry.tracing import close_tracing, set_up_tracing
from shared.web.bodies import LARGEST_HEAD
from shared.web.protocol_errors import ProtocolErrors

DRAIN = 0.5
"""Seconds between saying "not ready" and closing the door, for whoever sends requests here to hear of it."""
KEEP_ALIVE = 15
"""Seconds an idle connection is kept. A proxy in front keeps idle ones for less, or it meets a closing door."""

_logger = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn, with a drain before the door closes: readiness first, then requests on their way still come in."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._draining: asyncio.TimerHandle | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        _logger.info("stopping", signal=signal.Signals(sig).name)
        if (runtime := getattr(self._app.state, "runtime", None)) is not None:
            runtime.draining.set()
        self._draining = asyncio.get_running_loop().call_later(DRAIN, setattr, self, "should_exit", True)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        if not self.should_exit:
            # What is there now stays; the collector need not look at it again.
            gc.collect()
            gc.freeze()
            # A batch of events is thousands of objects that all die together: looking at them half-way is wasted.
            gc.set_threshold(20_000, 20, 20)
            _logger.info("listening", host=self.config.host, port=self._port())

    def _port(self) -> int:
        for server in self.servers:
            for socket in server.sockets:
                return int(socket.getsockname()[1])
        return self.config.port


def serve(service: Service, settings: Settings, *, only: Only | None = None) -> int:
    """Run until a signal stops it; the exit status."""
    set_up_logs(settings, service.name)
    if settings.refusal is not None:
        _logger.error("not started", reason=settings.refusal)
        return 1
    keep_freed_memory()
    set_up_tracing(settings, service.name)
    app = create_app(service, settings, only=only)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio",
        http=ProtocolErrors,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        forwarded_allow_ips=settings.proxies,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.shutdown_grace),
    )
    server = _Server(config, app)
    try:
        asyncio.run(server.serve())
    except SystemExit:  # uvicorn's way to say that it could not start; why is in the log
        return 1
    finally:
        close_tracing()
    return 0 if server.started else 1
