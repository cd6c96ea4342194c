"""What every answer must be: documented, valid, clear about what was wrong, and silent about the inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from tests.city.asking import Answer, Request
from tests.city.operations import Operation, Routes, operations
from tests.city.village import Village
from tests.fuzz.corpus import MARK

INSIDE = re.compile(
    rb"Traceback|File \"|\.py\b|site-packages|asyncpg|sqlalchemy|pydantic|starlette|fastapi|msgspec|joserfc"
    rb"|0x[0-9a-f]{8}"
    rb"|\b[A-Z]\w+(?:Error|Exception|Warning)\b|\bselect\b.*\bfrom\b|\binsert into\b|relation \"|duplicate key|pg_\w+"
    rb"|<class|<function|<object|services\.\w+|shared\.\w+|\bNoneType\b|\bdirectory_\w+|watermark"
)
"""What only the inside knows: stacks, SQL, libraries, classes, tables."""
SAFE = {b"x-content-type-options": b"nosniff", b"x-frame-options": b"DENY", b"referrer-policy": b"no-referrer"}
PROBLEM_TYPE = re.compile(r"urn:guildhall:problem:[a-z-]+")
_SHOWS_INPUT = {b"x-request-id", b"link"}


class Oracle:
    """Judges answers by the served documents and by which village is whose."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.operations = operations(documents)
        self.routes = Routes(self.operations)

    def meant(self, request: Request) -> Operation | None:
        """The operation that a request means, None where it means none; HEAD means what GET does."""
        asked = replace(request, method="GET") if request.method == "HEAD" else request
        return self.routes.of(asked, unquote(request.target.partition("?")[0]))

    def judge(self, request: Request, answer: Answer, hidden: Sequence[Village] = ()) -> list[str]:
        """What is wrong with the answer. `hidden` are villages that its caller must not see anything of."""
        return list(self._judge(request, answer, hidden))

    def _judge(self, request: Request, answer: Answer, hidden: Sequence[Village]) -> Iterator[str]:
        if answer.failure is not None:
            yield f"the application raised {type(answer.failure).__name__}: {answer.failure}"[:300]
            return
        op = self.meant(request)
        if answer.status >= 500 and not self._may_be_behind(request, answer):
            yield f"status {answer.status}: {answer.body[:200]!r}"
        yield from self._headers(answer)
        if answer.status < 400:
            yield from self._success(request, op, answer)
        else:
            yield from self._problem(request, op, answer)
        whole = answer.body + b"\n".join(name + value for name, value in answer.headers)
        for village in hidden:
            if village.canary.encode() in whole:
                yield f"words of {village.name} are in an answer to somebody who must not see them"

    def _may_be_behind(self, request: Request, answer: Answer) -> bool:
        """Waiting for a position that was never written ends in a documented 503."""
        return (
            answer.status == 503
            and bool(request.header(b"guildhall-after"))
            and answer.media_type == "application/problem+json"
            and answer.json()["type"] == "urn:guildhall:problem:behind"
        )

    def _headers(self, answer: Answer) -> Iterator[str]:
        for name, value in SAFE.items():
            if answer.header(name) != value:
                yield f"without the header {name.decode()}"
        if answer.header(b"x-request-id") is None:
            yield "without X-Request-Id"
        for name, value in answer.headers:
            if b"\r" in value or b"\n" in value or b"\x00" in value:
                yield f"a line break in the header {name.decode()}"

    def _success(self, request: Request, op: Operation | None, answer: Answer) -> Iterator[str]:
        if request.method == "OPTIONS" and answer.status == 204:
            yield from self._allow(request, answer)
            return
        if op is None:
            yield f"status {answer.status} for what no document describes"
            return
        documented, schema = op.response(answer.status, answer.media_type)
        if not documented:
            yield f"{op.id}: {answer.status} {answer.media_type!r} is not documented"
        if (answer.status in (204, 304) or request.method == "HEAD") and answer.body:
            yield f"{op.id}: {request.method} {answer.status} with a body"
        if request.method == "HEAD":
            return
        if schema is not None and answer.media_type == "application/json":
            yield from _invalid(op, answer.status, schema, answer.json())
        if answer.media_type == "application/x-ndjson":
            assert schema is not None
            yield from self._lines(op, schema, request, answer)
        yield from self._accepted(request, op, answer)

    def _lines(self, op: Operation, schema: Any, request: Request, answer: Answer) -> Iterator[str]:
        lines = answer.body.splitlines()
        sent = sum(1 for line in request.body.split(b"\n") if line.strip())
        if len(lines) != sent:
            yield f"{op.id}: {sent} lines, {len(lines)} answers"
        for line in map(json.loads, lines):
            yield from _invalid(op, "line", schema, line)
            problem = line.get("problem")
            if (problem is None) != (line["status"] != "rejected"):
                yield f"{op.id}: a line is {line['status']} with the problem {problem}"
            if problem is not None:
                if problem["status"] >= 500:
                    yield f"{op.id}: a line failed with {problem}"
                yield from _unclear(op.id, problem)
                yield from _leaks(json.dumps(problem).encode())

    def _accepted(self, request: Request, op: Operation, answer: Answer) -> Iterator[str]:
        """A body that was taken must be one that the document describes."""
        if op.body_type != "application/json" or not request.body:
            return
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            yield f"{op.id}: {answer.status} for a body that is no JSON"
            return
        if not op.fits_body(body):
            yield f"{op.id}: {answer.status} for a body that its schema refuses: {request.body[:300]!r}"

    def _problem(self, request: Request, op: Operation | None, answer: Answer) -> Iterator[str]:
        if request.method == "HEAD" and not answer.body:
            return
        if answer.media_type != "application/problem+json":
            yield f"{answer.status} as {answer.media_type!r}"
            return
        try:
            problem = answer.json()
        except ValueError:
            yield f"{answer.status} with a body that is no JSON"
            return
        if op is not None:
            if not op.response(answer.status, answer.media_type)[0]:
                yield f"{op.id}: {answer.status} is not documented"
            yield from _invalid(op, answer.status, {"$ref": "#/components/schemas/Problem"}, problem)
        if problem["status"] != answer.status or not PROBLEM_TYPE.fullmatch(problem["type"]):
            yield f"a problem that is not itself: {problem}"
        if problem.get("request_id", "").encode() != answer.header(b"x-request-id"):
            yield "a problem under another request id"
        yield from _unclear(op.id if op else "no operation", problem)
        if answer.status == 401 and not (answer.header(b"www-authenticate") or b"").startswith(b"Bearer"):
            yield "401 without WWW-Authenticate"
        if answer.status == 405:
            yield from self._allow(request, answer)
        yield from _leaks(answer.body)
        if MARK.encode() in answer.body:
            yield f"{answer.status} repeats what was sent: {answer.body[:300]!r}"

    def _allow(self, request: Request, answer: Answer) -> Iterator[str]:
        path = unquote(request.target.partition("?")[0])
        known = {op.method for op in self.routes.at(request.service, path)}
        if known:
            known |= {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
        allowed = {part.strip() for part in (answer.header(b"allow") or b"").decode().split(",")}
        if known and allowed != known:
            yield f"405 allows {sorted(allowed)}, the document {sorted(known)}"


def _invalid(op: Operation, status: object, schema: Any, value: Any) -> Iterator[str]:
    validator = op.validator((status, json.dumps(schema)), schema)
    for error in validator.iter_errors(value):
        yield f"{op.id}: {status} breaks its schema at {'/'.join(map(str, error.instance_path))}: {error.message[:200]}"


def _unclear(where: str, problem: Any) -> Iterator[str]:
    """What is wrong with how a problem names the field and the rule."""
    if problem["status"] not in (400, 422) or problem["type"].endswith("idempotency-key-reused"):
        return
    errors = problem.get("errors")
    if not errors:
        yield f"{where}: {problem['status']} names no field: {problem['detail'][:200]}"
        return
    for error in errors:
        if not error["detail"] or ("pointer" not in error and not ("parameter" in error and "in" in error)):
            yield f"{where}: {problem['status']} names a field badly: {error}"


def _leaks(body: bytes) -> Iterator[str]:
    found = INSIDE.search(body)
    if found is not None:
        yield f"tells of the inside: {found[0]!r} in {body[:300]!r}"
