"""Who suggests something anonymously leaves nothing that leads to them, and no log tells who asked what.

Attacks 11 and 24.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.system import PARTITIONS
from shared.events.identity import community_id
from shared.kafka.principals import PARTNER
from shared.kafka.topics import topic_of
from tests.attacks.target import Target, until
from tests.attacks.test_brokers import Thief


async def test_an_anonymous_suggestion_leads_to_nobody_in_log_vault_views_topic_and_process_logs(
    target: Target,
) -> None:
    """11: with tracing on, a key and a trace of one's own; without anonymity all of it is there to be found."""
    place = await target.found("bob")
    bob, key = place.ids["bob"], f"key-{uuid4().hex}"
    traces = {anonymous: uuid4().hex for anonymous in (False, True)}
    made = {}
    for anonymous, trace in traces.items():
        answer = await place.by(
            "bob",
            "POST",
            "/suggestions",
            {"title": f"{place.canary} {anonymous}", "anonymous": anonymous},
            headers={"idempotency-key": f"{key}-{anonymous}", "traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )
        assert answer.status_code == 201, answer.text
        made[anonymous] = answer.json()
    hidden = made[True]["id"]

    async def rows(suggestion: str) -> str:
        stored = []
        for table in ("log", "vault", "suggestion_board", "suggestion_vote"):
            found = await target.rows("feedback", f"select * from {table} where community = $1", place.id)
            stored += [str(dict(row)) for row in found if suggestion in str(dict(row))]
        kept = await target.rows("feedback", "select * from idempotency_key")
        stored += [str(dict(row)) for row in kept if suggestion in str(dict(row))]
        return "\n".join(stored)

    async def relayed() -> bool:
        return hidden in str(await topic(target, "feedback")) and hidden in await rows(hidden)

    await until(relayed)
    signed, veiled = await rows(made[False]["id"]), await rows(hidden)
    for trail in (bob, place.subject("bob"), traces[True], key):
        assert trail not in veiled, trail
    for trail in (bob, traces[False]):
        assert trail in signed, "it is looked for where it would be"
    told = [value for value in await topic(target, "feedback") if hidden in value]
    assert len(told) == 1
    envelope = json.loads(told[0])
    assert not {"actor", "traceparent", "causationid", "importedby"} & envelope.keys(), envelope
    at = envelope["time"]
    assert at[14:19] in ("00:00", "15:00", "30:00", "45:00"), at
    for name, text in target.logged().items():
        for line in text.splitlines():
            assert hidden not in line or not any(trail in line for trail in (bob, traces[True], key)), (name, line)
            assert key not in line, (name, line)


async def test_nobody_who_knows_the_members_and_guesses_the_key_computes_whose_it_was(target: Target) -> None:
    """11, kin: an id of a repeatable submission follows from member and key, under the installation's secret alone."""
    place = await target.found("bob")
    made = await place.must(
        "bob", "POST", "/suggestions", {"title": "T", "anonymous": True}, headers={"idempotency-key": "1"}
    )
    operation = "POST /suggestions\x1f1"
    for member in place.ids.values():
        for space in (UUID(member), community_id(place.slug), UUID(int=0)):
            assert space is not None
            assert str(uuid5(space, operation)) != made["id"]
            assert str(uuid5(space, f"{member}{operation}")) != made["id"]
    again = await place.must(
        "bob", "POST", "/suggestions", {"title": "T", "anonymous": True}, headers={"idempotency-key": "1"}
    )
    assert again["id"] == made["id"]


async def test_what_is_shown_of_an_anonymous_suggestion_is_the_same_to_its_sender_as_to_others(target: Target) -> None:
    """11, kin: no flag, no right and no list of one's own says to somebody who looks over a shoulder whose it was."""
    place = await target.found("bob", "carol")
    suggestion = await place.suggestion("bob", anonymous=True)
    await until(lambda: _listed(place, suggestion))
    shown = [await place.must(who, "GET", f"/suggestions/{suggestion}") for who in ("bob", "carol")]
    for one in shown:
        one.pop("freshness", None)
    assert shown[0] == shown[1]
    statuses = [(await place.by(who, "DELETE", f"/suggestions/{suggestion}")).status_code for who in ("bob", "carol")]
    assert statuses == [403, 403]
    told = await place.must("carol", "GET", "/metrics/activity")
    assert told["items"][-1]["active"]["day"] in (0, 1), "alice, and nobody by an anonymous suggestion"


async def _listed(place: Any, suggestion: str) -> bool:
    return suggestion in str(await place.must("alice", "GET", "/suggestions"))


async def topic(target: Target, owner: str) -> list[str]:
    """What lies on a topic, as a partner reads it."""
    found: list[str] = []
    async with AIOKafkaConsumer(**Thief(target).as_(PARTNER)) as consumer:
        places = [TopicPartition(topic_of(owner), p) for p in range(PARTITIONS)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(one) < ends[one] for one in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [(record.value or b"").decode(errors="replace") for record in records]
    return found


HARM: dict[str, bytes] = {
    "chunks that are none": b"POST {path} HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n{headers}\r\nzz\r\n",
    "a body that ends early": b"POST {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 900\r\n{headers}\r\n{{",
    "a body without end": b"POST {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 9000000\r\n{headers}\r\n"
    + b" " * 3_000_000,
    "a head that is too long": b"GET {path} HTTP/1.1\r\nhost: g\r\n{headers}x: " + b"a" * 40_000 + b"\r\n\r\n",
    "a head that is none": b"GET {path} HTTP/1.1\r\nhost: g\r\n{headers}x y\r\n\r\n",
    "two lengths": b"POST {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 1\r\ncontent-length: 2\r\n{headers}\r\n{{}}",
    "a path that is none": b"GET {path}%zz%00 HTTP/1.1\r\nhost: g\r\n{headers}\r\n",
    "a method that is none": b"GE(T {path} HTTP/1.1\r\nhost: g\r\n{headers}\r\n",
    "another protocol": b"GET {path} HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n{headers}\r\n",
    "a good request": b"GET {path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n{headers}\r\n",
}


@pytest.mark.parametrize("door", ["origin", "feedback", "content"])
async def test_whatever_goes_wrong_no_log_says_who_asked_what(target: Target, door: str) -> None:
    """24: keys, tokens, addresses and words of requests, in the logs of the gateway and of every process."""
    place = await target.found("bob")
    secret, address = f"secret{uuid4().hex}", "203.0.113.77"
    token = target.token(place.subject("bob"))
    headers = (
        f"authorization: Bearer {token}\r\nidempotency-key: {secret}\r\nx-forwarded-for: {address}\r\n"
        f"cookie: {secret}\r\nuser-agent: {secret}\r\nreferer: http://{secret}/\r\ncontent-type: application/json\r\n"
    )
    below = f"/v1/communities/{place.slug}/{'threads' if door == 'content' else 'suggestions'}?q={secret}"
    sizes = {path: path.stat().st_size for path in target.home.logs.iterdir()}

    async def harm(raw: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.ports[door])
        filled = raw.replace(b"{path}", below.encode()).replace(b"{headers}", headers.encode()).replace(b"{{", b"{")
        with suppress(ConnectionError, TimeoutError):
            writer.write(filled)
            await asyncio.wait_for(reader.read(), 2)
        writer.transport.abort()

    await asyncio.gather(*map(harm, HARM.values()))
    await asyncio.sleep(1.0)
    for path in target.home.logs.iterdir():
        with path.open("rb") as file:
            file.seek(sizes.get(path, 0))
            written = file.read().decode(errors="replace")
        for trail in (secret, token, token.rpartition(".")[2], address, place.subject("bob"), place.ids["bob"]):
            assert trail not in written, (path.name, trail)
