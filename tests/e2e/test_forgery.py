"""A running system under somebody who has a relay's password: what they write makes nobody an owner of anything."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import asyncpg
import httpx2 as httpx
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.service import SERVICES
from shared.event import Recorded, to_wire
from shared.settings import Settings
from shared.stream.connection import connection
from shared.stream.principals import everybody, principal
from shared.stream.topics import topic_of
from tests.e2e.system import ROOT, LocalSystem, free_port

SLUG = "forged-upon"
COLUMNS = "partition, position, stream, version, type, id, community, actor, occurred_at, recorded_at, causation, data"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    running = LocalSystem(tmp_path_factory.mktemp("guildhall") / "home", free_port())
    running.up()
    try:
        yield running
    finally:
        running.down()


class Thief:
    """Has read the member service's log and has its relay's password."""

    def __init__(self, system: LocalSystem) -> None:
        home, given = Home(system.home), Home(system.home).read("ports.json")
        self._postgres = Postgres(home, given["postgres"])
        broker = Kafka(home, given["kafka"], given["controller"], users=everybody(SERVICES))
        signed_in = broker.signed_in(principal("member"))
        self._settings = Settings.model_validate(
            {name.removeprefix("GUILDHALL_").lower(): value for name, value in signed_in.items()}
        )

    async def forge(self, stream: UUID, kind: str, **data: str) -> None:
        """An event of that stream, at the position that comes next in its partition."""
        db = await asyncpg.connect(self._postgres.dsn("guildhall_member", "guildhall_member"))
        row = await db.fetchrow(f"select {COLUMNS} from log where stream = $1 order by version desc limit 1", stream)
        assert row is not None
        head = await db.fetchval("select position from log_partition where id = $1", row["partition"])
        await db.close()
        last = Recorded("member", **{**row, "data": bytes(row["data"])})
        forged = msgspec.structs.replace(
            last, position=head + 1, version=last.version + 1, id=uuid4(), type=kind, data=msgspec.json.encode(data)
        )
        async with AIOKafkaProducer(**connection(self._settings)) as producer:
            await producer.send_and_wait(topic_of("member"), to_wire(forged), partition=last.partition)


def client(system: LocalSystem, subject: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {Issuer(Home(system.home)).mint(subject)}"}
    return httpx.Client(base_url=f"{system.origin}/v1", headers=headers, timeout=30.0, trust_env=False)


def until(condition: Callable[[], bool], within: float = 30.0) -> None:
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.2)


def test_a_forged_role_gives_no_right_and_the_real_event_at_its_position_counts(system: LocalSystem) -> None:
    alice, bob, carol = (client(system, name) for name in ("alice", "bob", "carol"))
    founded = alice.post(
        "/communities", json={"slug": SLUG, "name": "F", "purpose": "P", "language": "en", "time_zone": "UTC"}
    )
    assert founded.status_code == 201, founded.text
    community = UUID(founded.json()["id"])
    joined = bob.post(f"/communities/{SLUG}/members")
    assert joined.status_code == 201, joined.text
    opened = alice.post(f"/communities/{SLUG}/channels", json={"name": "Talk", "posting": "members"})
    assert opened.status_code == 201, opened.text
    archive = f"/communities/{SLUG}/channels/{opened.json()['id']}/archive"
    until(lambda: bob.post(archive).status_code == 403)
    until(lambda: carol.get(f"/communities/{SLUG}/channels").status_code == 200)

    thief = Thief(system)
    for role in ("owner", "administrator"):
        asyncio.run(
            thief.forge(community, "guildhall.member.role-granted.v1", member_id=joined.json()["id"], role=role)
        )
    changed = alice.patch(f"/communities/{SLUG}", json={"visibility": "members"})  # the real event at that position
    assert changed.status_code == 200, changed.text

    for _ in range(15):  # as long as a right could take to be believed
        assert bob.post(archive).status_code in (403, 503)
        time.sleep(0.2)
    for path in ("channels", "suggestions", "metrics/activity"):
        until(lambda path=path: carol.get(f"/communities/{SLUG}/{path}").status_code == 404)  # type: ignore[misc]
    doctor = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "doctor", "member", "--full"],
        cwd=ROOT,
        env={**os.environ, "GUILDHALL_HOME": str(system.home)},
        capture_output=True,
        text=True,
    )
    assert "2 records on guildhall.member.v1 are not the log's (partition" in doctor.stdout, doctor.stdout
    assert "at offset" in doctor.stdout
    assert "BROKEN" not in doctor.stdout
    for each in (alice, bob, carol):
        each.close()
