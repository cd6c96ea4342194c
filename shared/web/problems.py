"""Whatever goes wrong leaves as RFC 9457 problem details, in one shape, without anything from the inside."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.db import FAILED, cause_of, is_away
from shared.events.errors import (
    BadRequest,
    InsufficientScope,
    Invalid,
    InvalidToken,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    Problem,
    Taken,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from shared.web import context

MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_LATER = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
MOST_NAMED = 50
"""Broken rules that one answer names."""
LONGEST_NAME = 100
"""Characters of a field's name in an answer; a longer one is told by what it is in."""

_logger = structlog.get_logger(__name__)


def body_of(problem: Problem, request_id: str | None) -> bytes:
    return msgspec.json.encode({**problem.body(), **({"request_id": request_id} if request_id else {})})


def headers_of(problem: Problem) -> dict[str, str]:
    headers = {"content-type": MEDIA_TYPE, "cache-control": "no-store"}
    if isinstance(problem, Unauthenticated):
        bad = isinstance(problem, InvalidToken)
        headers["www-authenticate"] = 'Bearer realm="guildhall"' + (', error="invalid_token"' if bad else "")
    if isinstance(problem, InsufficientScope):
        headers["www-authenticate"] = f'Bearer realm="guildhall", error="insufficient_scope", scope="{problem.scope}"'
    if problem.retry_after is not None or problem.status in _LATER:
        headers["retry-after"] = str(max(1, math.ceil(problem.retry_after or 1)))
    return headers


def answer(problem: Problem, request_id: str | None) -> Response:
    """The response that tells of a problem."""
    return Response(body_of(problem, request_id), problem.status, headers_of(problem))


def as_problem(error: BaseException) -> Problem | None:
    """The problem an exception stands for, None for one that is a fault of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Violations(error.errors())
    if isinstance(error, ValidationError):  # of a line: its fields are the body's, also one that is called `body`
        return Violations([{**violation, "loc": ("body", *violation["loc"])} for violation in error.errors()])
    if isinstance(error, HTTPException):
        return _of_status(error)
    if is_away(error):
        return Unavailable("The database does not answer. Try again shortly.", retry_after=1)
    if isinstance(cause_of(error), asyncpg.DataError):
        return Invalid("A value is outside what can be stored.")
    return None


class Violations(Invalid):
    """Input that breaks rules of its schema: each with the pointer to its field, never with what was sent."""

    def __init__(self, errors: Sequence[Any]) -> None:
        super().__init__("The request breaks its schema.")
        self.violations = [_violation(error) for error in errors[:MOST_NAMED]]
        if len(errors) == 1:
            self.detail = f"The request breaks its schema: {self.violations[0]['detail']}."
        elif len(errors) > MOST_NAMED:
            self.detail = f"The request breaks its schema in {len(errors)} places; here are the first {MOST_NAMED}."

    def body(self) -> dict[str, object]:
        return {**super().body(), "errors": self.violations}


def _violation(error: Mapping[str, Any]) -> dict[str, str]:
    where, *path = [str(part) for part in error["loc"]] or ["body"]
    detail = error["msg"]
    if where in {"query", "path", "header", "cookie"}:
        # A parameter is one word; what follows it are the alternatives of its type.
        return {"parameter": path[0] if path else "", "in": where, "detail": detail}
    parts = path if where == "body" else [where, *path]
    if parts and len(parts[-1]) > LONGEST_NAME:  # a name of the caller's own making
        parts = parts[:-1]
    return {"pointer": "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts), "detail": detail}


def _of_status(error: HTTPException) -> Problem:
    """What the router itself says: no such path, no such method, no readable body."""
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound("There is nothing at this path.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed("This path takes other methods; `Allow` lists them.")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return TooLarge("The request body is too large.")
        case _:
            return BadRequest("The request cannot be read.")


def _methods(request: Request) -> str:
    """What the request's path takes; the router itself names the methods of the first route only."""
    asked = [{**request.scope, "method": method} for method in _METHODS]
    found = {
        scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    }
    return ", ".join(sorted({*found, "OPTIONS"} | ({"HEAD"} if "GET" in found else set())))


async def _handle(request: Request, error: Exception) -> Response:
    problem = as_problem(error)
    if problem is None:
        raise error
    known = context.of(request)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = {"allow": _methods(request)}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
        return Response(body_of(problem, known.id), problem.status, {**headers_of(problem), **allow})
    if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR and known.me is not None:
        problem = known.me.hidden or problem  # whoever asks to be let in gets it right, or learns nothing
    if isinstance(problem, NotFound) and _must_exist(request):
        problem = PreconditionFailed(f"{problem.detail} `If-Match` asks for one.", header="If-Match")
    if isinstance(problem, Taken):
        known.refused = True
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _logger.warning("not available", reason=type(cause_of(error)).__name__)
    return answer(problem, known.id)


def _must_exist(request: Request) -> bool:
    """Whether an operation was asked to change only what is there."""
    condition = context.of(request).condition
    return condition is not None and condition.match is not None and request.method != "GET" and _routed(request)


def _routed(request: Request) -> bool:
    return "endpoint" in request.scope


def install(app: FastAPI) -> None:
    """Have the application answer all its errors as problems; what is unexpected is left to the middleware."""
    expected: list[type[Exception]] = [
        Problem,
        RequestValidationError,
        HTTPException,
        *FAILED,
    ]
    for kind in expected:
        app.add_exception_handler(kind, _handle)


def unexpected(error: Exception, request_id: str) -> Response:
    """The answer to a fault of ours: logged with its stack, told without it."""
    if isinstance(error, ResponseValidationError):
        # Its text holds what was to be sent, which may be somebody's words.
        _logger.error("answer breaks its own schema", fields=[_violation(e) for e in error.errors()])
    else:
        _logger.error("unexpected error", exc_info=error)
    return answer(Problem("Something went wrong on our side. It has been logged under the request id."), request_id)
