"""Around every request: an id, a deadline, one line in the log, and safe headers.

Plain ASGI throughout: what wraps requests in tasks or queues hides that a client has gone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from uuid import UUID

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from shared.errors import Unavailable
from shared.http import context, problems
from shared.http.bodies import streamed
from shared.http.context import QUIET, RequestContext
from shared.observability import REQUESTS

SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_CLOSED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_access = structlog.get_logger("guildhall.access")


class Around:
    """The outermost layer. `deadline` bounds a request in seconds, except those that stream."""

    def __init__(self, app: ASGIApp, *, service: str, deadline: float) -> None:
        self._app = app
        self._service = service
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = RequestContext(_request_id(scope), time.monotonic())
        scope[context.KEY] = request
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.get("headers", ())
                if status == HTTPStatus.NO_CONTENT:
                    given = [(name, value) for name, value in given if name != b"content-type"]  # of nothing
                message["headers"] = [*given, *self._headers(request, scope, status)]
                if not any(name == _CLOSED[0] for name, _ in given):  # a page for people says what it may load
                    message["headers"].append(_CLOSED)
            await send(message)

        try:
            failure = await self._run(scope, receive, answer, request)
            if failure is not None and status:
                raise failure  # Too late for another answer: have the server cut the connection.
            if failure is not None:
                await _explain(failure, request)(scope, receive, answer)
        finally:
            self._record(scope, request, status)

    async def _run(self, scope: Scope, receive: Receive, send: Send, request: RequestContext) -> Exception | None:
        """Run the application; what it raised, if anything."""
        try:
            async with asyncio.timeout(None if streamed(scope["path"]) else self._deadline) as request.deadline:
                await self._app(scope, receive, send)
        except Exception as error:
            return error
        return None

    def _headers(self, request: RequestContext, scope: Scope, status: int) -> Iterable[tuple[bytes, bytes]]:
        yield b"x-request-id", request.id.encode()
        yield from SAFE_HEADERS
        if (runtime := getattr(scope["app"].state, "runtime", None)) is not None and runtime.draining.is_set():
            yield b"connection", b"close"
        yield from request.headers
        if status >= HTTPStatus.BAD_REQUEST:
            return
        if request.version is not None:
            yield b"etag", f'"{request.version}"'.encode()
        if request.positions and runtime is not None:
            written = {(self._service, partition): where.position for partition, where in request.positions.items()}
            yield b"guildhall-position", runtime.seal.seal(written).encode()

    def _record(self, scope: Scope, request: RequestContext, status: int) -> None:
        """One line and one measurement, by operation: a path may hold what somebody typed."""
        took = time.monotonic() - request.arrived
        route = scope.get("route")
        operation = getattr(route, "operation_id", None) or getattr(route, "path", None) or "none"
        REQUESTS.labels(self._service, operation, str(status)).observe(took)
        if scope["path"] not in QUIET or status >= HTTPStatus.BAD_REQUEST:
            milliseconds = round(took * 1000, 1)
            _access.info("request", method=scope["method"], operation=operation, status=status, ms=milliseconds)


def _explain(failure: Exception, request: RequestContext) -> Response:
    if isinstance(failure, TimeoutError):
        late = Unavailable("This took too long. Whether it took effect is not known; repeat it.", retry_after=1)
        return problems.answer(late, request.id)
    problem = problems.as_problem(failure)
    return problems.unexpected(failure, request.id) if problem is None else problems.answer(problem, request.id)


def _request_id(scope: Scope) -> str:
    """The caller's, if it is one that can stand in a log; else one of ours."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(given):
                return str(given)
    fresh: UUID = uuid7()
    return str(fresh)
