"""No body passes that would harm what follows: bounded in bytes, values, depth and time, JSON that everything can hold.

What holds for a body hangs on the route that takes it. Nobody's is read before it is known who sends it, and where no
route takes one it is not read at all.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.events.errors import (
    BadRequest,
    HeadTooLarge,
    Invalid,
    NotFound,
    Problem,
    TargetTooLong,
    TooLarge,
    TooSlow,
    Unavailable,
    UnsupportedMedia,
)
from shared.web import context, problems
from shared.web.context import RequestContext
from shared.web.large_bodies import LargeBodies, LargeBody
from shared.web.received import MOST_HEADERS

MOST_VALUES = 1_000
"""Values in one body, of all its lists and objects together; no operation takes more than some hundred."""
DEEPEST = 32
"""Lists and objects inside each other; no operation takes more than four."""

LARGEST_HEAD = 16 * 1024
"""Bytes of a request's address and headers together."""

ARRIVES_IN = 10.0
"""Seconds in which a body is there, from its head on."""
SMALL = 64 * 1024
"""Bytes of a body for which there is always room."""
FOR_LARGE = 8 << 20
"""Bytes of all larger bodies together that one process holds, one body apart."""
STREAMED = "x-streamed"
"""In a route's `openapi_extra`: its body is of any length, and is answered while it is still being sent."""

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
_NUL = rb"\u0000"
_AS_ZEROS = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else ord(" ") for byte in range(256))
_LONG_NUMBER = b"0" * 19
_LARGEST = 2**63 - 1
_STRING = re.compile(rb'"[^"]*+"?')
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


class JsonBodies:
    """Has `authenticate` say who sends a body, or raise, before it reads any of it. Routes that stream read their own.

    Lets through JSON bodies that every part behind can hold, and refuses the rest with what is wrong with them.

    Beyond the grammar (no NaN, no broken UTF-8, no half surrogates) it refuses NUL characters, numbers beyond 64 bits,
    and more values or deeper ones than any operation takes.
    """

    def __init__(self, app: ASGIApp, *, limit: int, authenticate: Callable[[Request], Awaitable[object]]) -> None:
        self._app = app
        self._limit = limit
        self._authenticate = authenticate
        self._large = LargeBodies(FOR_LARGE)
        self._routes: list[tuple[str, re.Pattern[str], bool]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, given = context.in_scope(scope), receive
        large: LargeBody | None = None
        try:
            try:
                _check_head(scope)
                headers = Request(scope).headers
                if headers.get("content-encoding", "identity").lower() != "identity":
                    raise UnsupportedMedia("Send the body without Content-Encoding.")
                if request.arriving and scope["method"] == "GET":
                    _check_unread(headers)
                if request.arriving and (streams := self._streams(scope)) is not None:
                    await self._authenticate(Request(scope))
                    request.streams = streams
                    if not streams:
                        large = self._large.begin(request.caller)
                        body = await self._in_time(headers.get("content-length"), receive, large, request)
                        if body:
                            _check_type(headers.get("content-type", ""))
                            check_json(body)
                        request.body, given = body, replay(body, receive)
            except Problem as problem:
                await problems.answer(problem, request.id)(scope, receive, send)
                return
            await self._app(scope, given, send)
        finally:
            if large is not None:
                large.end()

    def _streams(self, scope: Scope) -> bool | None:
        """Whether the route that takes a body here streams it; None where none does."""
        if scope["method"] not in WRITES:
            return None
        if self._routes is None:
            self._routes = _taking(scope["app"])
        path, wanted = scope["path"], scope["method"]
        return next((streams for method, at, streams in self._routes if method == wanted and at.match(path)), None)

    async def _in_time(self, length: str | None, receive: Receive, large: LargeBody, request: RequestContext) -> bytes:
        """The body, and for what is done with it as much time as if it had been there."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        request.allow(ARRIVES_IN)
        try:
            async with asyncio.timeout(ARRIVES_IN):
                return await self._body(length, receive, large, request)
        except TimeoutError:
            if large.in_vain:
                raise Unavailable("Too many large bodies arrive at the moment. Try again.", retry_after=1) from None
            raise TooSlow(f"The body did not arrive within {ARRIVES_IN:.0f} seconds.") from None
        finally:
            request.allow(loop.time() - began - ARRIVES_IN)

    async def _body(self, length: str | None, receive: Receive, large: LargeBody, request: RequestContext) -> bytes:
        too_large = TooLarge(f"The body is larger than {self._limit} bytes.")
        if length is not None and length.isdecimal() and int(length[:20]) > self._limit:
            raise too_large
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended early.", pointer="")
            part = message.get("body", b"")
            size += len(part)
            if size > self._limit:
                raise too_large
            parts.append(part)
            if not message.get("more_body", False):
                request.arriving = False
                return b"".join(parts)
            if size > SMALL:
                await large.grow(size)


def _taking(app: FastAPI) -> list[tuple[str, re.Pattern[str], bool]]:
    """Method and path of every route that may take a body, in the order in which they are tried, and if it streams."""
    return [
        (method, found.path_regex, bool((route.openapi_extra or {}).get(STREAMED)))
        for found in iter_route_contexts(app.routes)
        if isinstance(route := found.original_route, APIRoute)
        for method in sorted(WRITES & (found.methods or set()))
    ]


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    target = len(scope["path"]) + len(scope["query_string"])
    size = target + sum(len(name) + len(value) for name, value in headers)
    if size > LARGEST_HEAD and target > LARGEST_HEAD // 2:
        raise TargetTooLong(f"The address and the headers hold more than {LARGEST_HEAD} bytes. Shorten the address.")
    if size > LARGEST_HEAD or len(headers) > MOST_HEADERS:
        raise HeadTooLarge(
            f"The address and the headers hold more than {LARGEST_HEAD} bytes, or are more than {MOST_HEADERS} headers."
        )
    if "\x00" in scope["path"]:
        raise NotFound("There is nothing at this path.")
    for part in scope["query_string"].split(b"&") if b"%00" in scope["query_string"] else ():
        if b"%00" in part:
            name = part.partition(b"=")[0][: problems.LONGEST_NAME].decode("latin-1")
            raise Invalid("The query holds a NUL character. Leave it out.", query=name)


def _check_unread(headers: Headers) -> None:
    """Nobody reads a body where something is asked for. One that may be long is refused, and its connection ends."""
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length[:20]) > SMALL:
        raise BadRequest("Send no body here; nobody reads one.", pointer="")


def _check_type(value: str) -> None:
    kind, *parameters = (part.strip().lower() for part in value.split(";"))
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMedia("Send JSON, as `Content-Type: application/json`.")
    if any(part.startswith("charset=") and part[8:].strip('"') != "utf-8" for part in parameters):
        raise UnsupportedMedia("JSON is UTF-8. Send it so, with no other `charset`.")


def replay(body: bytes, receive: Receive) -> Receive:
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
    _check_shape(body)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {str(error).rstrip('.')}.", pointer="") from None
    if _NUL in body or _LONG_NUMBER in body.translate(_AS_ZEROS):  # a search for 19 digits by pattern takes ten times
        _check_values(value)
    return value


def _check_shape(body: bytes) -> None:
    """Refuse too many values and too deep ones while they are bytes: decoded, a megabyte of `{}` is forty of dicts."""
    if _marks(body) <= DEEPEST:
        return
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    too_many = Invalid(f"The body holds more than {MOST_VALUES} values.", pointer="")
    if plain.count(b'"') > 4 * MOST_VALUES:  # a value and its name are at most two strings
        raise too_many
    bare = _STRING.sub(b"", plain)
    if _marks(bare) > MOST_VALUES:
        raise too_many
    depth = 0
    for bracket in bare.translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > DEEPEST:
            raise Invalid(f"The body is nested more than {DEEPEST} deep.", pointer="")


def _marks(text: bytes) -> int:
    """About as many as there are values: each begins a list or an object, or follows a comma."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _check_values(value: Any) -> None:
    """Look at every value, without recursion."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, dict):
            for name, inner in found.items():
                if "\x00" in name:
                    raise Invalid("A name holds a NUL character. Leave it out.", pointer=where)
                waiting.append((f"{where}/{name.replace('~', '~0').replace('/', '~1')}", inner))
        elif isinstance(found, list):
            waiting += [(f"{where}/{index}", inner) for index, inner in enumerate(found)]
        elif isinstance(found, str) and "\x00" in found:
            raise Invalid("The text holds a NUL character. Leave it out.", pointer=where)
        elif isinstance(found, int) and not -_LARGEST <= found <= _LARGEST:
            raise Invalid("The number is beyond 64 bits.", pointer=where)
