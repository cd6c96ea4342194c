"""Around every request: an id, a deadline, one line in the log, safe headers, and no body that would harm what follows.

Plain ASGI throughout: what wraps requests in tasks or queues hides that a client has gone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils.compat import uuid7

from shared.errors import BadRequest, Invalid, NotFound, Problem, TooLarge, Unavailable, UnsupportedMedia
from shared.http import context, problems
from shared.http.context import RequestContext
from shared.http.positions import format_positions
from shared.observability import REQUESTS

QUIET = {"/livez", "/readyz", "/metrics", "/status"}
"""Asked by machines all the time; not worth a line each."""

SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_CLOSED = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_SUSPECT = re.compile(rb"\\u0000|\d{19}")
_LARGEST = 2**63 - 1

_access = structlog.get_logger("guildhall.access")


def streamed(path: str) -> bool:
    """Whether a path takes a body of any length, line by line, and any time."""
    return path.endswith("/backfill")


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
                message["headers"] = [*message.get("headers", ()), *self._headers(request, scope, status)]
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
        if not scope["path"].startswith("/docs"):
            yield _CLOSED
        if (runtime := getattr(scope["app"].state, "runtime", None)) is not None and runtime.draining.is_set():
            yield b"connection", b"close"
        yield from request.headers
        if status >= HTTPStatus.BAD_REQUEST:
            return
        if request.version is not None:
            yield b"etag", f'"{request.version}"'.encode()
        if request.positions:
            written = {(self._service, partition): where.position for partition, where in request.positions.items()}
            yield b"guildhall-position", format_positions(written).encode()

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


class JsonBodies:
    """Lets through JSON bodies that every part behind can hold, and refuses the rest with what is wrong with them.

    Beyond the grammar (no NaN, no broken UTF-8, no half surrogates) it refuses nesting that overflows a stack,
    NUL characters, and numbers beyond 64 bits.
    """

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_target(scope)
            headers = Request(scope).headers
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise UnsupportedMedia("Send the body without Content-Encoding.")
            if scope["method"] in _WRITES and not streamed(scope["path"]):
                body = await self._body(headers.get("content-length"), receive)
                if body:
                    _check_type(headers.get("content-type", ""))
                    check_json(body)
                receive = _replay(body, receive)
        except Problem as problem:
            await problems.answer(problem, context.in_scope(scope).id)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _body(self, length: str | None, receive: Receive) -> bytes:
        too_large = TooLarge(f"The body is larger than {self._limit} bytes.")
        if length is not None and length.isdecimal() and int(length[:20]) > self._limit:
            raise too_large
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended early.")
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise too_large
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


def _check_target(scope: Scope) -> None:
    if "\x00" in scope["path"]:
        raise NotFound("There is nothing at this path.")
    if b"%00" in scope.get("query_string", b""):
        raise Invalid("The query holds a NUL character. Leave it out.")


def _check_type(value: str) -> None:
    kind = value.partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("Send JSON, as `Content-Type: application/json`.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hand out the body once more; what comes after it is the client's going away."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def check_json(body: bytes) -> Any:
    """The value, decoded. Raises `BadRequest` for what is not JSON, `Invalid` for what cannot be stored."""
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if _SUSPECT.search(body):
        _check_values(value)
    return value


def _check_values(value: Any) -> None:
    """Look at every value, without recursion."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, dict):
            for name, inner in found.items():
                if "\x00" in name:
                    raise Invalid("A name holds a NUL character. Leave it out.", pointer=where or "/")
                waiting.append((f"{where}/{name.replace('~', '~0').replace('/', '~1')}", inner))
        elif isinstance(found, list):
            waiting += [(f"{where}/{index}", inner) for index, inner in enumerate(found)]
        elif isinstance(found, str) and "\x00" in found:
            raise Invalid("The text holds a NUL character. Leave it out.", pointer=where)
        elif isinstance(found, int) and not -_LARGEST <= found <= _LARGEST:
            raise Invalid("The number is beyond 64 bits.", pointer=where)
