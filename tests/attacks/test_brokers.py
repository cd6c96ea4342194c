"""Kafka and PostgreSQL ask who one is, and whoever has a relay's password still makes nobody an owner.

Attack 2. Each pair of principal, topic and operation, and of role and database: `tests/deploy/test_kafka_rights.py` and
`tests/deploy/test_postgres_rights.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.service import SERVICES
from deploy.local.system import PARTITIONS
from shared.events.envelope import from_wire, to_wire
from shared.events.event import Recorded
from shared.kafka.connection import connection
from shared.kafka.principals import PARTNER, everybody, principal
from shared.kafka.topics import topic_of
from shared.settings import Settings
from tests.attacks.target import BELIEVED, Place, Target, until
from tests.e2e.system import ROOT

GRANTED = "guildhall.member.role-granted.v1"
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Message:
    """A record as it lies on a topic."""

    value: bytes | None
    headers: Headers
    owner: str = "member"
    partition: int = 0

    def claims(self, **changes: Any) -> Message:
        """The same record, telling something else, under the signature that it had."""
        assert self.value is not None
        return replace(self, value=to_wire(msgspec.structs.replace(from_wire(self.value), **changes)))


class Thief:
    """Reads every topic, and has every relay's password."""

    def __init__(self, target: Target) -> None:
        given = target.ports
        self.broker = Kafka(target.home, given["kafka"], given["controller"], users=everybody(SERVICES))

    def as_(self, user: str, **changes: str) -> Mapping[str, Any]:
        signed_in = self.broker.signed_in(user)
        plain = {name.removeprefix("GUILDHALL_").lower(): value for name, value in signed_in.items()}
        return connection(Settings.model_validate({**plain, **changes}))

    async def stolen(self, place: Place, kind: str) -> list[Message]:
        """The genuine records of that kind about a community, in their order."""
        found: list[Message] = []
        async with AIOKafkaConsumer(**self.as_(PARTNER)) as consumer:
            places = [TopicPartition(topic_of("member"), p) for p in range(PARTITIONS)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(places)
            for one in places:
                while await consumer.position(one) < ends[one]:
                    for record in await asyncio.wait_for(_some(consumer, one), 20):
                        if _is(record.value, place, kind):
                            found.append(Message(record.value, record.headers, "member", record.partition))
        return found

    async def write(self, *messages: Message) -> None:
        for owner in {message.owner for message in messages}:
            async with AIOKafkaProducer(**self.as_(principal(owner))) as producer:
                for one in messages:
                    if one.owner == owner:
                        await producer.send_and_wait(
                            topic_of(owner), one.value, b"key", partition=one.partition, headers=[*one.headers]
                        )


async def _some(consumer: AIOKafkaConsumer, one: TopicPartition) -> list[Any]:
    while not (found := (await consumer.getmany(one, timeout_ms=500)).get(one)):
        pass
    return list(found)


def _is(value: bytes | None, place: Place, kind: str) -> bool:
    if value is None or kind.encode() not in value:
        return False
    try:
        record: Recorded = from_wire(value)
    except ValueError:
        return False
    return record.type == kind and str(record.community) == place.id


async def foreign(target: Target) -> dict[str, int]:
    """By service, how many records on its topic `doctor` says are not the log's."""

    def ask() -> str:
        command = [sys.executable, "-m", "deploy.cli", "doctor", "member", "content", "feedback", "--full", "--json"]
        environment = {**os.environ, "GUILDHALL_HOME": str(target.system.home)}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False).stdout

    told = json.loads(await asyncio.to_thread(ask))
    assert [one for one in told["findings"] if one["state"] == "broken"] == []
    counts = dict.fromkeys(("member", "content", "feedback"), 0)
    for one in told["findings"]:
        words = one["meaning"].split()
        if "not the log's" in one["meaning"]:
            counts[one["where"]] = int(words[0].replace(",", "")) if words[0][0].isdigit() else 1
    return counts


async def test_with_every_relays_password_nobody_is_made_an_owner_and_no_event_is_swallowed(target: Target) -> None:
    """2: at head + 1; and in eleven other ways, with genuine signatures where one can be had."""
    place, other, before = await asyncio.gather(target.found("bob", eve="owner"), target.found("bob"), foreign(target))
    channel = await place.channel()
    archive = f"/channels/{channel}/archive"
    await place.must("alice", "DELETE", f"/roles/owner/members/{place.ids['eve']}")
    await until(lambda: _refused(place, "bob", archive))
    await until(lambda: _read(place, 200))
    thief = Thief(target)
    grants: list[Message] = []

    async def relayed() -> bool:
        grants[:] = await thief.stolen(place, GRANTED)
        return len(grants) == 2

    await until(relayed)
    genuine = grants[-1]  # eve's, which was revoked
    assert genuine.value is not None
    (head,) = await target.rows("member", "select position from log_partition where id = $1", genuine.partition)
    last = from_wire(genuine.value)
    bobs: dict[str, Any] = {
        "position": head["position"] + 1,
        "version": last.version + 2,
        "id": uuid4(),
        "data": msgspec.json.encode({"member_id": place.ids["bob"], "role": "owner"}),
    }
    elsewhere = (genuine.partition + 1) % PARTITIONS
    forged = [
        replace(genuine.claims(**bobs), headers=[]),  # as it was done
        genuine.claims(**bobs),  # under a genuine signature of something else
        replace(genuine.claims(**bobs), headers=[("guildhall-signature", b"\0" * 32)]),
        replace(genuine.claims(**bobs), headers=[*genuine.headers, ("guildhall-signature", b"\0" * 32)]),
        genuine.claims(data=bobs["data"]),  # a genuine record, with one word changed
        genuine.claims(position=bobs["position"]),  # a genuine one told anew
        genuine.claims(**{**bobs, "position": 10_000_000}),  # everything up to there would be a repeat
        genuine.claims(**bobs, partition=elsewhere),
        replace(genuine, partition=elsewhere),  # genuine, in another partition
        replace(genuine, owner="content"),  # genuine, on another topic
        replace(genuine.claims(**bobs, service="member"), owner="feedback", headers=[]),
        replace(genuine, value=None),
        replace(genuine, value=b"", headers=[]),
        replace(genuine, value=b"{}" * 100),
    ]
    await thief.write(*forged)
    await thief.write(genuine)  # where it belongs, once more: it is a repeat, and eve stays revoked
    for who in ("bob", "mallory"):
        await place.must("alice", "PATCH", "", {"name": f"{place.canary} {who}"})  # the real events at those positions
    await place.must("alice", "PATCH", "", {"visibility": "members"})
    await other.must("alice", "PATCH", "", {"visibility": "members"})

    for _ in range(10):  # as long as a right could take to be believed
        assert await _refused(place, "bob", archive)
        assert await _refused(place, "eve", archive)
        await asyncio.sleep(0.3)
    for path in ("", "/channels", "/suggestions", "/metrics/activity"):
        await until(lambda path=path: _read(place, 404, path))  # type: ignore[misc]
        await until(lambda path=path: _read(other, 404, path))  # type: ignore[misc]
    for path in ("/channels", "/suggestions", "/metrics/activity"):
        assert (await place.by("bob", "GET", path)).status_code == 200
    found = await foreign(target)
    noticed = {name: found[name] - before[name] for name in found}
    assert noticed == {"member": 12, "content": 1, "feedback": 1}


async def _refused(place: Place, who: str, path: str) -> bool:
    return (await place.by(who, "POST", path)).status_code == 403


async def _read(place: Place, status: int, path: str = "/channels") -> bool:
    return (await place.by("stranger", "GET", path)).status_code == status


@asynccontextmanager
async def _consumer(given: Mapping[str, Any]) -> AsyncIterator[AIOKafkaConsumer]:
    client = AIOKafkaConsumer(**given, request_timeout_ms=2_000)
    try:
        yield client
    finally:
        await client.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"kafka_security_protocol": "PLAINTEXT"},
        {"kafka_security_protocol": "SSL"},
        {"kafka_sasl_password": "development-only-password"},
        {"kafka_sasl_password": " "},
        {"kafka_sasl_username": "User:guildhall-admin"},
        {"kafka_sasl_mechanism": "PLAIN"},
    ],
    ids=str,
)
async def test_nobody_reads_a_topic_without_a_password(target: Target, changes: dict[str, str]) -> None:
    """2: "the local listener has no password"."""
    async with _consumer(Thief(target).as_(PARTNER, **changes)) as client:
        with pytest.raises((errors.KafkaError, OSError, TimeoutError)):
            await asyncio.wait_for(client.start(), 8)


@pytest.mark.parametrize("role", ["postgres", "guildhall", *(f"guildhall_{name}" for name in SERVICES)])
@pytest.mark.parametrize("password", ["", "postgres", "development-only-password"], ids=["none", "postgres", "known"])
async def test_nobody_reads_a_database_without_its_password(target: Target, role: str, password: str) -> None:
    """2, kin: PostgreSQL, by every role, with no password and with those that everybody knows."""
    with pytest.raises(asyncpg.PostgresError):
        await asyncpg.connect(
            host="127.0.0.1", port=target.ports["postgres"], user=role, password=password, database="guildhall_member"
        )


@pytest.mark.parametrize("role", SERVICES)
async def test_a_services_own_password_opens_its_own_database_alone(target: Target, role: str) -> None:
    """2, kin: whoever has one service has not the others."""
    postgres = Postgres(target.home, target.ports["postgres"])
    for database in SERVICES:
        attempt = asyncpg.connect(postgres.dsn(f"guildhall_{database}", f"guildhall_{role}"))
        if database == role:
            await (await attempt).close()
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await attempt


async def test_a_right_that_a_forgery_would_give_is_not_believed_later_either(target: Target) -> None:
    """2: readers that begin anew after a forgery pass over it, too: the directory is what the log says."""
    place = await target.found("bob")
    thief = Thief(target)
    grants: list[Message] = []

    async def relayed() -> bool:
        grants[:] = await thief.stolen(place, GRANTED)
        return len(grants) == 1

    await until(relayed)
    (head,) = await target.rows("member", "select position from log_partition where id = $1", grants[0].partition)
    data = msgspec.json.encode({"member_id": place.ids["bob"], "role": "owner"})
    await thief.write(grants[0].claims(position=head["position"] + 1, id=uuid4(), data=data))
    await asyncio.sleep(BELIEVED)
    for service in SERVICES:
        rows = await target.rows(
            service, "select member, role from directory_role where community = $1 and granted", place.id
        )
        assert {(str(row["member"]), row["role"]) for row in rows} == {(place.ids["alice"], "owner")}, service
