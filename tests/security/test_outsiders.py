"""A community for members is to an outsider as one that is not there: every operation, however it is asked.

Status, body and headers of both answers are the same but for the moment and the request's own id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeAlias
from uuid import uuid4

import pytest

from shared.events.identity import community_id
from tests.city.asking import Answer, Headers, Request
from tests.city.city import City
from tests.city.operations import COMMUNITY, Operation, operations
from tests.city.village import Village
from tests.security.matrix import Case
from tests.security.policy import POLICY
from tests.security.test_authorization import settled

Told: TypeAlias = tuple[int, object, list[tuple[bytes, bytes]]]
OUTSIDER: Final = "stranger"
OWN: Final = frozenset({b"date", b"x-request-id"})
"""Headers that every answer has of its own."""
CONDITIONS: Final[list[Headers]] = [
    [(b"if-match", b'"1"')],
    [(b"if-match", b"*")],
    [(b"if-match", b"no tag")],
    [(b"if-none-match", b"*")],
    [(b"if-none-match", b'"1"')],
    [(b"idempotency-key", b"guessed")],
    [(b"prefer", b"wait=1")],
    [(b"prefer", b"wait=1"), (b"guildhall-after", b"nothing")],
    [(b"accept", b"text/csv")],
    [(b"range", b"bytes=0-1")],
]
BODIES: Final = [b"", b"{", b"[]", b'{"x": 1}', b"\xff", b'{"answers": 5}']


def ways(op: Operation, request: Request, position: bytes) -> Iterator[Request]:
    """The ways to ask: as one should, under conditions, with a broken body, by another method."""
    conditions = [[], *CONDITIONS, [(b"prefer", b"wait=1"), (b"guildhall-after", position)]]
    if op.id != "join_community":  # who asks to be let in as they should learns that it is there: docs/hardening.md
        yield from (replace(request, headers=[*request.headers, *more]) for more in conditions)
    if op.body_type is not None:
        plain = [header for header in request.headers if header[0] != b"content-type"]
        yield from (replace(request, body=body) for body in BODIES if body or op.id != "join_community")
        yield replace(request, headers=[*plain, (b"content-type", b"text/plain")])
    for method in ("OPTIONS", "TRACE", *(["HEAD"] if op.method == "GET" else [])):
        for more in ([], [(b"if-none-match", b"*")], [(b"if-match", b'"1"')]):
            yield replace(request, method=method, headers=[*request.headers, *more], body=b"")


def told(answer: Answer, name: str) -> Told:
    body = json.loads(answer.body.decode().replace(name, "…")) if answer.body else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    headers = [(key.lower(), value.replace(name.encode(), b"...")) for key, value in answer.headers]
    return answer.status, body, sorted(header for header in headers if header[0] not in OWN)


@pytest.fixture(scope="module")
async def village(town: City) -> Village:
    return await settled(town, f"hidden-{uuid4().hex[:8]}", "members")


@pytest.mark.parametrize("service", ["member", "content", "engagement", "feedback", "projection"])
@pytest.mark.parametrize("by", ["slug", "id"])
async def test_an_outsider_is_answered_as_of_what_is_not_there(
    town: City, village: Village, service: str, by: str
) -> None:
    written = await village.ask("owner", "member", "PATCH", "", {"name": f"Name {uuid4().hex[:6]}"})
    position = written.header(b"guildhall-position")
    assert position is not None
    named, other = (village.name, f"absent-{uuid4().hex[:8]}") if by == "slug" else (_id(village), str(uuid4()))

    async def told_of(way: Request, name: str) -> Told:
        target = way.target.replace(village.path, f"/v1/communities/{name}")
        return told(await town.ask(replace(way, target=target)), name)

    async def both(way: Request) -> tuple[Told, Told]:
        return await told_of(way, named), await told_of(way, other)

    compared, found = 0, []
    for op in operations(town.documents):
        if op.service != service or not op.path.startswith(COMMUNITY):
            continue
        case = Case(op, OUTSIDER, village, village, "author" if POLICY[op.id].thing else "", "moderator")
        request = case.request(case.thing())
        every = list(ways(op, request, position))
        for way, (there, missing) in zip(every, await asyncio.gather(*(both(way) for way in every)), strict=True):
            compared += 1
            if there != missing or there[0] == 429 or (there[0] < 300 and way.method != "OPTIONS"):
                found.append((op.id, way.method, way.headers[1:], way.body, there, missing))
    assert found == []
    assert compared > 30


def _id(village: Village) -> str:
    return str(community_id(village.name))
