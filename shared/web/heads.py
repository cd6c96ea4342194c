"""The head of a request is read once, before anything is routed, and put into the form that everything behind knows.

A query string is as RFC 3986 has it: a plus is a plus, a space is `%20`. A parameter without a value was not given, and
one is given once. A path is what it looks like: `%2F` parts no segments, and nothing is redirected.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

from shared.commands.preconditions import Precondition, Tags, parse_tags
from shared.events.errors import BadRequest, ExpectationFailed, Invalid, MethodNotAllowed, NotFound
from shared.web import problems
from shared.web.context import RequestContext

EVERYWHERE = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
"""The methods that some path takes."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_ANNOUNCES = frozenset((b"content-length", b"transfer-encoding"))
_READ = frozenset(
    (b"accept", b"expect", b"if-match", b"if-none-match", b"x-request-id"),
)


def read(scope: Scope, request: RequestContext) -> None:
    """Note what the head asks in the request's context, and tidy its target. Raises what is wrong with it."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _READ:  # a list may come in several lines
            found[name] = value if name not in found else found[name] + b", " + value
        elif name in _ANNOUNCES and value != b"0":
            request.arriving = True
    if found:
        _note(found, request)
    if scope["path"][:1] != "/":
        _origin_form(scope, request)
    raw = scope.get("raw_path") or b""
    if b"%" in raw and b"%2f" in raw.lower():
        raise NotFound("There is nothing at this path.")
    if query := scope["query_string"]:
        scope["query_string"] = tidy(query)


def _note(found: dict[bytes, bytes], request: RequestContext) -> None:
    given = found.get(b"x-request-id")
    if given is not None and _REQUEST_ID.fullmatch(given):  # one that can stand in a log
        request.id = given.decode("ascii")
    if (accept := found.get(b"accept")) is not None and accept != b"*/*":
        request.accept = accept.decode("latin-1")
    if (expected := found.get(b"expect")) is not None and expected.lower() != b"100-continue":
        raise ExpectationFailed("The only expectation that is met is `100-continue`.", header="Expect")
    if b"if-match" in found or b"if-none-match" in found:
        request.condition = Precondition(
            _tags(found, b"if-match", "If-Match"),
            _tags(found, b"if-none-match", "If-None-Match"),
        )


def _tags(found: dict[bytes, bytes], name: bytes, header: str) -> Tags | None:
    value = found.get(name)
    if value is None:
        return None
    if (tags := parse_tags(value.decode("latin-1"))) is None:
        raise BadRequest(f"`{header}` is a list of entity tags in double quotes, or `*`.", header=header)
    return tags


def _origin_form(scope: Scope, request: RequestContext) -> None:
    """Targets that begin with no slash: `*`, an authority, or a whole URL, whose path is taken (RFC 9112, 3.2)."""
    if (absolute := _ABSOLUTE.match(scope["path"])) is not None:
        scope["path"] = scope["path"][absolute.end() :] or "/"
        raw = scope.get("raw_path")
        if raw is not None:
            scope["raw_path"] = raw[absolute.end() :] or b"/"
        return
    if scope["method"] in ("CONNECT", "OPTIONS"):
        request.headers.append((b"allow", EVERYWHERE.encode()))
        raise MethodNotAllowed("No tunnels are made here; `Allow` lists what is done.")
    raise BadRequest("The target of a request is a path that begins with a slash.", pointer="")


def tidy(query: bytes) -> bytes:
    """The query string with its pluses kept and its empty parameters left out. Raises `Invalid` for one given twice."""
    if b"+" in query:
        query = query.replace(b"+", b"%2B")
    if b"&" not in query and query[-1:] != b"=" and b"=" in query:
        return query
    parts = [part for part in query.split(b"&") if part.partition(b"=")[2]]
    names = [part.partition(b"=")[0] for part in parts]
    if b"%" in query:
        names = [unquote_to_bytes(name) for name in names]
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        told = twice[: problems.LONGEST_NAME].decode("latin-1")
        raise Invalid("A parameter is given once. Leave all but one of them out.", query=told)
    return b"&".join(parts)
