"""What somebody may not see is to them as if it were not there, and nothing that they are shown meters what others do.

Attacks 15 and 16. Each answer of each caller: `tests/security/test_authorization.py`.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest

from tests.attacks.target import Place, Target, until, without_request
from tests.city.operations import COMMUNITY, Operation
from tests.positions import positions_of

NOT_THERE = "01900000-0000-7000-8000-00000000dead"
TELLS = frozenset({"join_community"})
"""Who knows a community's name may ask to be let in: docs/hardening.md, "What somebody can learn"."""


def body_of(op: Operation) -> Any:
    schema = op.body_schema
    if schema is None or op.body_type != "application/json":
        return None
    schema = op.resolve(next((one for one in schema.get("anyOf", []) if "$ref" in one), schema))
    return schema["examples"][0]


def asked(op: Operation, slug: str, ids: dict[str, str]) -> str:
    """The path of an operation in that community, about what is there."""
    below = op.path.removeprefix(COMMUNITY)
    for parameter in op.parameters:
        if parameter["in"] == "path" and parameter["name"] != "community":
            name = parameter["name"]
            below = below.replace(
                f"{{{name}}}", {"kind": "like", "role": "moderator"}.get(name) or ids.get(name, NOT_THERE)
            )
    wanted = [p["name"] for p in op.parameters if p["in"] == "query" and p.get("required")]
    query = "&".join(f"{name}={ids.get('thread_id', NOT_THERE)}" for name in wanted)
    return f"/v1/communities/{slug}{below}" + (f"?{query}" if query else "")


async def hidden(target: Target) -> tuple[Place, dict[str, str]]:
    """A community for members, and the ids of what is in it."""
    place = await target.found("bob", visibility="members")
    channel = await place.channel()
    thread = await place.thread("bob", channel)
    return place, {
        "channel_id": channel,
        "thread_id": thread,
        "target_id": thread,
        "reply_id": await place.reply("bob", thread),
        "comment_id": await place.comment("bob", thread),
        "suggestion_id": await place.suggestion("bob"),
        "member": place.ids["bob"],
    }


CONDITIONS: list[dict[str, str]] = [
    {"if-match": '"1"'},
    {"if-none-match": "*"},
    {"if-match": "*", "idempotency-key": "guessed"},
    {"if-none-match": '"1"', "prefer": "wait=0"},
]


@pytest.mark.parametrize("how", ["plainly", "with conditions"])
async def test_no_operation_tells_an_outsider_a_hidden_community_from_none(target: Target, how: str) -> None:
    """15: status, words, headers of every operation of all services; by slug and by id, with bodies that fit."""
    place, ids = await hidden(target)
    below = [op for op in target.operations if op.path.startswith(COMMUNITY) and op.id not in TELLS]

    async def told(op: Operation, slug: str) -> tuple[int, Any, frozenset[str]]:
        scope = "guildhall:backfill guildhall:found"
        condition = {} if how == "plainly" else CONDITIONS[below.index(op) % len(CONDITIONS)]
        more: dict[str, Any] = {"headers": condition}
        if op.body_type == "application/x-ndjson":
            more |= {"content": "{}\n", "headers": {**more["headers"], "content-type": "application/x-ndjson"}}
        who = f"stranger who asks for {op.id} {slug}"
        answer = await place.by(who, op.method, asked(op, slug, ids), body_of(op), scope=scope, **more)
        status, body, headers = without_request(answer)
        return status, json.loads(json.dumps(body).replace(slug, "…")), headers

    async def compare(op: Operation) -> None:
        there, missing = await told(op, place.slug), await told(op, f"none-{uuid4().hex[:12]}")
        assert there == missing, op.id
        assert there[0] in (404, 412), (op.id, there)
        if how == "plainly":
            assert await told(op, place.id) == await told(op, str(uuid4())), op.id

    assert len(below) > 60
    for start in range(0, len(below), 8):
        await asyncio.gather(*map(compare, below[start : start + 8]))


@pytest.mark.parametrize("what", ["not JSON", "the wrong fields", "nothing", "too much"])
async def test_nor_does_what_is_wrong_with_a_request(target: Target, what: str) -> None:
    """15, kin: bodies, ids and pages that are refused: in what order that is looked at tells nothing."""
    place, ids = await hidden(target)
    content = {"not JSON": b"{", "the wrong fields": b'{"x": 1}', "nothing": b"", "too much": b" " * 1_100_000}[what]
    below = [op for op in target.operations if op.path.startswith(COMMUNITY) and op.id not in TELLS]
    writing = [op for op in below if op.body_type == "application/json"]
    if what == "too much":
        writing = writing[::5]

    async def told(op: Operation, slug: str) -> tuple[int, Any, frozenset[str]]:
        headers = {"content-type": "application/json"}
        who = f"stranger who asks for {op.id} {slug}"
        return without_request(await place.by(who, op.method, asked(op, slug, ids), content=content, headers=headers))

    async def compare(op: Operation) -> None:
        there, missing = await told(op, place.slug), await told(op, f"none-{uuid4().hex[:12]}")
        assert there == missing, op.id

    await asyncio.gather(*map(compare, writing))


async def test_nor_do_paths_pages_and_methods_that_are_none(target: Target) -> None:
    """15, kin: what is refused before, or instead of, being looked for."""
    place, _ = await hidden(target)
    for path in ("/threads?limit=0", "/threads?cursor=x", f"/threads/{'x' * 40}", "/nothing", "/members/me/nothing"):
        for method in ("GET", "HEAD", "OPTIONS", "PATCH", "PROPFIND"):
            answers = [
                without_request(await place.by("stranger", method, f"/v1/communities/{slug}{path}"))
                for slug in (place.slug, f"none-{uuid4().hex[:12]}")
            ]
            assert answers[0] == answers[1], (method, path)


async def test_asking_to_be_let_in_with_what_is_broken_tells_nothing(target: Target) -> None:
    """15, kin: 422 or 412 where there is a private community, 404 where not; and no applicant was left by it."""
    place = await target.found(visibility="members")
    for body, headers in (({"answers": 5}, {}), ({"x": 1}, {}), (None, {"if-none-match": "*"})):
        answers = [
            await place.by("prober", "POST", f"/v1/communities/{slug}/members", body, headers=headers)
            for slug in (place.slug, f"none-{place.slug}"[:60])
        ]
        assert answers[0].status_code == answers[1].status_code, (body, headers, [a.text for a in answers])


async def test_a_taken_slug_is_told_the_same_way_whatever_it_is_and_probing_is_charged(target: Target) -> None:
    """15: 400 probes at 259/s were never throttled."""
    places = await asyncio.gather(target.found(visibility="members"), target.found())
    answers = []
    for place in places:
        founding = {"slug": place.slug, "name": "N", "purpose": "P", "language": "en", "time_zone": "UTC"}
        answer = await places[0].by("prober", "POST", "/v1/communities", founding, patient=False)
        assert answer.status_code == 409
        answers.append(json.loads(answer.text.replace(place.slug, "…")) | {"request_id": ""})
    assert answers[0] == answers[1]

    founding["slug"] = places[0].slug

    async def probe() -> int:
        return (await places[0].by("prober", "POST", "/v1/communities", founding, patient=False)).status_code

    statuses: list[int] = []
    while 429 not in statuses and len(statuses) < 1_500:
        statuses += await asyncio.gather(*(probe() for _ in range(60)))
    assert 429 in statuses, f"{len(statuses)} probes"
    assert set(statuses) <= {409, 429}


async def test_nothing_that_an_outsider_reads_moves_with_what_others_do(target: Target) -> None:
    """16: eight events and an anonymous suggestion of a private community were read off the freshness of another."""
    private, mine = await asyncio.gather(target.found("bob", visibility="members"), target.found())
    channel = await private.channel()
    paths = [
        "",
        "/members",
        "/roles",
        "/channels",
        "/threads",
        "/tags",
        "/suggestions",
        f"/reactions?target={NOT_THERE}",
        f"/views?target={NOT_THERE}",
        "/metrics/activity",
        "/metrics/influence",
        "/metrics/suggestions",
        "/metrics/scoring-policies",
    ]

    async def settled() -> bool:
        found = [await mine.must("alice", "GET", path) for path in ("/members", "/threads", "/metrics/activity")]
        return all(one["freshness"]["lag_events"] == 0 for one in found)

    async def read() -> dict[str, tuple[Any, dict[str, str]]]:
        await until(settled)
        found: dict[str, tuple[Any, dict[str, str]]] = {}
        for path in paths:
            answer = await mine.by("outsider", "GET", path)
            assert answer.status_code == 200, (path, answer.text)
            found[path] = _steady(answer)
        return found

    before = await read()
    threads = [await private.thread("bob", channel) for _ in range(4)]
    await asyncio.gather(*(private.reply("bob", thread) for thread in threads))
    await private.suggestion("bob", anonymous=True)
    await asyncio.sleep(0.5)
    after = await read()
    assert after == before


def _steady(answer: httpx.Response) -> tuple[Any, dict[str, str]]:
    """An answer without what is sealed, of which the length remains, and without its moment."""
    body = answer.json()
    if "freshness" in body:
        token = body["freshness"].pop("positions")
        assert not re.search(r"\d+/\d+", token)
        body["freshness"]["length"] = len(token)
        for open_still in ("complete_until", "lag_events", "lag_seconds"):  # docs/attacks.md, 16
            body["freshness"].pop(open_still)
    moment = {"date", "x-request-id", "guildhall-position"}
    headers = {name: value for name, value in answer.headers.items() if name not in moment}
    if "freshness" in body:
        headers.pop("etag", None)  # of the whole answer, sealed positions and all
    headers.pop("content-length", None)
    return body, headers


async def test_sealed_positions_are_read_by_nobody_and_say_nothing_by_their_length_or_repetition(
    target: Target,
) -> None:
    """16, kin: two tokens of one moment differ, all of one kind are of one length, and only we read them."""
    place = await target.found("bob")
    tokens = [(await place.must("bob", "GET", "/channels"))["freshness"]["positions"] for _ in range(4)]
    assert len(set(tokens)) == 4
    assert len({len(token) for token in tokens}) == 1
    written = [await place.by("alice", "PATCH", "", {"name": f"Name {n}"}) for n in range(3)]
    assert len({answer.headers["guildhall-position"] for answer in written}) == 3
    assert positions_of(tokens[0], target.home.secret("member"))
    await asyncio.gather(place.channel(), place.channel())
    await until(lambda: _more(place))
    cursor = (await place.must("bob", "GET", "/channels?limit=1"))["next"]
    for changed in (cursor[:-2] + "AA", "A" + cursor[1:], cursor + "A", cursor.swapcase()):
        assert (await place.by("bob", "GET", f"/channels?limit=1&cursor={changed}")).status_code == 400, changed


async def _more(place: Place) -> bool:
    return (await place.must("bob", "GET", "/channels?limit=1"))["next"] is not None
