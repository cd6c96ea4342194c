"""Around every request: an id, a deadline, one line in the log, and safe headers.

Plain ASGI throughout: what wraps requests in tasks or queues hides that a client has gone.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from shared.events.errors import MethodNotAllowed, Problem, Unavailable
from shared.telemetry.observability import REQUESTS
from shared.web import answers, context, heads, problems
from shared.web.context import QUIET, RequestContext

SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_CLOSED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_access = structlog.get_logger("guildhall.access")


class Around:
    """The outermost layer. `deadline` bounds a request in seconds, until it says that it streams."""

    def __init__(self, app: ASGIApp, *, service: str, deadline: float) -> None:
        self._app = app
        self._service = service
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = RequestContext("", time.monotonic(), reads=scope["method"] in ("GET", "HEAD"))
        scope[context.KEY] = request
        refused: Exception | None = None
        try:
            heads.read(scope, request)
        except Problem as problem:
            refused = problem
        request.id = request.id or str(uuid7())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        method, status, replaced = scope["method"], 0, False
        if method == "HEAD":
            scope["method"] = "GET"  # what it would get is found as GET finds it, and not sent

        async def answer(message: Message) -> None:
            nonlocal status, replaced
            if message["type"] == "http.response.start":
                status, given = message["status"], message.get("headers", ())
                if request.reads and status == HTTPStatus.OK and (other := answers.instead(request, given)) is not None:
                    if isinstance(other, Problem):
                        await problems.answer(other, request.id)(scope, receive, answer)
                        replaced = True
                        return
                    status = message["status"] = other
                if status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
                    given = answers.without_content(given)
                message["headers"] = [*given, *self._headers(request, scope, status)]
                if not any(name == b"content-security-policy" for name, _ in given):  # a page says what it may load
                    message["headers"].append(_CLOSED)
            elif replaced:
                return
            elif method == "HEAD" or status == HTTPStatus.NOT_MODIFIED:
                message["body"] = b""
            await send(message)

        try:
            failure = refused or await self._run(scope, receive, answer, request)
            if failure is not None and status:
                raise failure  # Too late for another answer: have the server cut the connection.
            if failure is not None:
                await _explain(failure, request, method)(scope, receive, answer)
        finally:
            scope["method"] = method
            self._record(scope, request, status)

    async def _run(self, scope: Scope, receive: Receive, send: Send, request: RequestContext) -> Exception | None:
        """Run the application; what it raised, if anything."""
        try:
            async with asyncio.timeout(self._deadline) as request.deadline:
                await self._app(scope, receive, send)
        except Exception as error:
            return error
        return None

    def _headers(self, request: RequestContext, scope: Scope, status: int) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"x-request-id", request.id.encode()),
            *SAFE_HEADERS,
            *request.headers,
            *answers.about(request, scope["path"], status),
        ]
        if (runtime := getattr(scope["app"].state, "runtime", None)) is not None and runtime.draining.is_set():
            headers.append((b"connection", b"close"))
        if status >= HTTPStatus.BAD_REQUEST:
            if request.arriving:  # the rest of its body is not worth having; connection.py sees to it
                headers.append((b"connection", b"close"))
            return headers
        if request.location is not None:
            headers.append((b"location", request.location.encode("ascii")))
        if request.tag is not None:
            headers.append((b"etag", f'"{request.tag}"'.encode()))
        if request.positions and runtime is not None:
            written = {(self._service, partition): where.position for partition, where in request.positions.items()}
            headers.append((b"guildhall-position", runtime.seal.seal(written).encode()))
        return headers

    def _record(self, scope: Scope, request: RequestContext, status: int) -> None:
        """One line and one measurement, by operation: a path may hold what somebody typed."""
        took = time.monotonic() - request.arrived
        route = scope.get("route")
        operation = getattr(route, "operation_id", None) or getattr(route, "path", None) or "none"
        REQUESTS.labels(self._service, operation, str(status)).observe(took)
        if scope["path"] not in QUIET or status >= HTTPStatus.BAD_REQUEST:
            milliseconds = round(took * 1000, 1)
            _access.info("request", method=scope["method"], operation=operation, status=status, ms=milliseconds)


def _explain(failure: Exception, request: RequestContext, method: str) -> Response:
    if isinstance(failure, TimeoutError):
        late = Unavailable("This took too long. Whether it took effect is not known; repeat it.", retry_after=1)
        return problems.answer(late, request.id)
    if isinstance(failure, MethodNotAllowed) and method == "OPTIONS":  # of the service, `OPTIONS *`
        return Response(status_code=HTTPStatus.NO_CONTENT)
    problem = problems.as_problem(failure)
    return problems.unexpected(failure, request.id) if problem is None else problems.answer(problem, request.id)
