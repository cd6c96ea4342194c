"""Each check: the thing is broken for real, the doctor says so, it is mended, and the doctor is content again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.feedback.app import SERVICE as FEEDBACK
from shared.migrate import migrate
from shared.operations import check_database, check_log, check_processes
from shared.operations.check_processes import addresses, disk
from shared.operations.doctor import examine
from shared.operations.findings import State
from shared.relay.producer import Producer
from shared.service.service import create_app
from shared.stream.topics import ensure_topics, topic_of
from tests.shared.live import listening
from tests.shared.operations.hall import EVENTS, OWNER, READER, SERVICES, Hall
from tests.shared.test_event import RECORD

HOLE = "select partition, position from log where position = 3 order by partition limit 1"


@dataclass(frozen=True)
class Break:
    """A statement that breaks something in a service's database, one that mends it, and what the doctor says."""

    check: str
    state: State
    words: str
    harm: str
    mend: str
    service: str = OWNER
    full: bool = False


def shifted(table: str, column: str, by: str) -> tuple[str, str]:
    return f"update {table} set {column} = {column} + {by}", f"update {table} set {column} = {column} - {by}"


SAVED = "create table saved as select * from log where (partition, position) = "
GIVE_BACK = "insert into log select * from saved; drop table saved"
OLD = "update log set recorded_at = recorded_at - interval '1 hour'"
OLD_AGAIN = "update log set recorded_at = recorded_at + interval '1 hour'"

BREAKS = {
    "a position in the middle of the log is gone": Break(
        "log", State.BROKEN, "Events are missing from the log: partition",
        f"{SAVED} ({HOLE}); delete from log where (partition, position) = ({HOLE})",
        GIVE_BACK,
    ),
    "a position in the middle of the log is gone, and all are counted": Break(
        "log", State.BROKEN, "Events are missing from the log: partition",
        f"{SAVED} ({HOLE}); delete from log where (partition, position) = ({HOLE})",
        GIVE_BACK,
        full=True,
    ),
    "the last position of the log is gone": Break(
        "log", State.BROKEN, "and says",
        "update log_partition set position = position + 1 where id = 3",
        "update log_partition set position = position - 1 where id = 3",
    ),
    "a version of a stream is gone": Break(
        "log", State.BROKEN, "Versions are missing in streams",
        "update log set version = 99 where version = 3 and partition = (select min(partition) from log)",
        "update log set version = 3 where version = 99",
        full=True,
    ),
    "the relay is ahead of the log": Break(
        "relay", State.BROKEN, "restored from an older state", *shifted("relay_checkpoint", "position", "1000")
    ),
    "the relay stands still": Break(
        "relay", State.BROKEN, "The relay stands still",
        f"create table saved as select * from relay_checkpoint; update relay_checkpoint set position = 0; {OLD}",
        "update relay_checkpoint c set position = s.position from saved s where s.partition = c.partition; "
        f"drop table saved; {OLD_AGAIN}",
    ),
    "the relay is a little late": Break(
        "relay", State.WARNING, "wait to be relayed",
        "create table saved as select * from relay_checkpoint; update relay_checkpoint set position = 0; "
        "update log set recorded_at = clock_timestamp() - interval '10 seconds'",
        "update relay_checkpoint c set position = s.position from saved s where s.partition = c.partition; "
        "drop table saved",
    ),
    "the log has other partitions than the settings": Break(
        "migrations", State.BROKEN, "has 13 partitions, the settings say 12",
        "insert into relay_checkpoint values (12, 0)", "delete from relay_checkpoint where partition = 12",
    ),
    "nobody leads": Break(
        "leases", State.BROKEN, "Nobody leads relay",
        "update lease set expires_at = now() - interval '1 hour' where name = 'relay'",
        "update lease set expires_at = now() + interval '1 hour'",
    ),
    "a lease was let go and nobody took it": Break(
        "leases", State.BROKEN, "Nobody leads views",
        "update lease set holder = null where name = 'views'",
        "update lease set holder = gen_random_uuid(), expires_at = now() + interval '1 hour' where name = 'views'",
    ),
    "a leader died just now": Break(
        "leases", State.WARNING, "The leader of relay died",
        "update lease set expires_at = now() - interval '2 seconds' where name = 'relay'",
        "update lease set expires_at = now() + interval '1 hour'",
    ),
    "two could lead": Break(
        "leases", State.BROKEN, "relay stands in it twice",
        "alter table lease drop constraint pk_lease; insert into lease select * from lease where name = 'relay'",
        "delete from lease where ctid <> (select min(ctid) from lease l where l.name = lease.name); "
        "alter table lease add constraint pk_lease primary key (name)",
    ),
    "a view is ahead of the log": Break(
        "watermarks", State.BROKEN, f"tally at {OWNER}/", *shifted("watermark", "position", "1000"), service=READER
    ),
    "a token is from a time to come": Break(
        "watermarks", State.BROKEN, "a time to come", *shifted("watermark", "moved_at", "interval '1 hour'")
    ),
    "a topic is shorter than what was read of it": Break(
        "watermarks", State.WARNING, "made anew", *shifted("watermark", "kafka_offset", "1000"), service=READER
    ),
    "a view was never read": Break(
        "watermarks", State.WARNING, f"Never read yet: tally of {OWNER}",
        "create table saved as select * from watermark; delete from watermark",
        "insert into watermark select * from saved; drop table saved",
    ),
    "a rebuild was broken off": Break(
        "watermarks", State.WARNING, "A rebuild is under way or was broken off",
        f"insert into watermark (view, source, partition) values ('tally@next', '{OWNER}', 0)",
        "delete from watermark where view = 'tally@next'",
    ),
    "a mark is of a view that is none": Break(
        "watermarks", State.WARNING, "taken out of the program",
        f"insert into watermark (view, source, partition) values ('gone', '{OWNER}', 0)",
        "delete from watermark where view = 'gone'",
    ),
    "a view stands still": Break(
        "views", State.BROKEN, f"Answers are out of date: {OWNER}.tally lacks 12 events",
        f"update watermark set position = position - 1; {OLD}",
        f"update watermark set position = position + 1; {OLD_AGAIN}",
    ),
    "a view is a little late": Break(
        "views", State.WARNING, "a little out of date",
        "update watermark set position = position - 1; "
        "update log set recorded_at = clock_timestamp() - interval '10 seconds'",
        "update watermark set position = position + 1",
    ),
    "an event is parked": Break(
        "parked", State.BROKEN, f"1 of tally, first {OWNER}/3/1",
        "insert into parked (view, source, partition, position, reason, value) "
        f"values ('tally', '{OWNER}', 3, 1, 'KeyError', '')",
        "delete from parked",
    ),
    "a stray record is noted": Break(
        "parked", State.WARNING, "1 for tally",
        "insert into parked (view, source, partition, position, reason, value) "
        f"values ('tally', '{OWNER}', 3, -18, 'no envelope', '')",
        "delete from parked",
    ),
    "a table is missing": Break(
        "parked", State.BROKEN, "did not answer this check",
        "alter table parked rename to elsewhere", "alter table elsewhere rename to parked",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS.keys())
async def test_what_is_broken_in_a_database_is_found(hall: Hall, broken: Break) -> None:
    await hall.sql(broken.harm, broken.service)
    try:
        found = [(f.check, f.where, f.state) for f in await hall.ill(full=broken.full) if broken.words in f.meaning]
        actions = [f.action for f in await hall.ill(full=broken.full)]
    finally:
        await hall.sql(broken.mend, broken.service)

    assert found == [(broken.check, broken.service, broken.state)]
    assert all(actions)
    assert await hall.ill(full=broken.full) == []


async def test_a_system_that_is_well_is_found_so_and_says_what_was_not_looked_at(hall: Hall) -> None:
    found = await hall.examine(full=True)

    assert (found.state, [f for f in found.findings if f.state is not State.OK]) == (State.OK, [])
    meanings = {(f.check, f.where): f.meaning for f in found.findings}
    assert meanings["log", OWNER] == f"{EVENTS} events in 12 partitions, no position missing (all counted)."
    assert meanings["topic whole", OWNER].startswith(f"{EVENTS} records read, no position missing, 0 repeated")
    assert meanings["topic contents", OWNER] == f"Ends at the positions that were relayed, {EVENTS} records."
    assert meanings["leases", READER] == "None is needed: readers share their partitions."
    assert [part.split(" (")[0] for part in found.not_looked_at] == [f"processes of {OWNER}, observing", "disks"]


async def test_a_long_log_is_counted_at_its_end_and_here_and_there(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_log, "WINDOW", 2)
    well = await hall.ill()
    inner = "position % 2 = 0 and position < (select p.position from log_partition p where p.id = log.partition)"
    await hall.sql(f"create table saved as select * from log where {inner}; delete from log where {inner}")
    try:
        holes = [f for f in await hall.ill() if f.check == "log"]
    finally:
        await hall.sql(GIVE_BACK)

    assert well == []
    assert "has 1 of positions" in holes[0].meaning
    assert await hall.ill() == []


async def test_a_transaction_left_open_and_a_long_one_are_found(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_database, "IDLE", 0.2)
    monkeypatch.setattr(check_database, "LONG", 0.2)
    url = hall.settings.database_url.replace("{service}", OWNER)
    idle, busy = await asyncpg.connect(url), await asyncpg.connect(url)
    await idle.execute("set application_name = 'forgetful'; begin; select 1")
    sleeping = asyncio.create_task(busy.fetch("select pg_sleep(3)"))
    await asyncio.sleep(0.4)
    (found,) = await hall.ill()
    await idle.close()
    await sleeping
    await busy.close()

    assert (found.check, found.state) == ("sessions", State.WARNING)
    assert "forgetful" in found.meaning
    assert "active" in found.meaning
    assert "pg_terminate_backend" in found.action
    assert await hall.ill() == []


async def test_a_server_without_connections_left_is_found(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_database, "FULL", 0.0)

    assert {(f.check, f.state) for f in await hall.ill()} == {("connections", State.WARNING)}


@pytest.mark.parametrize(("seconds", "state"), [(5, State.WARNING), (-3600, State.BROKEN)])
async def test_a_clock_that_is_wrong_is_found(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, seconds: int, state: State
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + seconds)
    found = [finding for finding in await hall.ill() if finding.check == "clock"]
    monkeypatch.undo()

    assert [(f.where, f.state) for f in found] == [(OWNER, state), (READER, state)]
    assert ("behind" if seconds > 0 else "ahead of") in found[0].meaning


async def test_a_database_that_was_not_migrated_is_found(stack: Any, hall: Hall) -> None:
    name = hall.settings.database_url.rpartition("/")[2].replace("{service}", "late")
    await hall.sql(f"create database {name}")
    late = hall.settings.model_copy(update={"database_url": hall.settings.database_url.replace("{service}", "late")})
    try:
        empty = {f.meaning for f in (await examine(late, [FEEDBACK])).findings if f.check == "migrations"}
        await migrate(FEEDBACK, late)
        connection = await asyncpg.connect(late.database_url)
        at_head = {f.state for f in (await examine(late, [FEEDBACK])).findings if f.check == "migrations"}
        await connection.execute("update alembic_version set version_num = '0001'")
        behind = [f for f in (await examine(late, [FEEDBACK])).findings if f.check == "migrations"]
        await connection.close()
    finally:
        await hall.sql(f"drop database {name} with (force)")

    assert empty == {"The database is at no revision, the program needs 0002: the service is not ready."}
    assert at_head == {State.OK}
    assert [(f.state, f.action) for f in behind] == [(State.BROKEN, "guildhall migrate feedback")]
    assert "at 0001" in behind[0].meaning


async def test_a_database_and_a_broker_that_are_away_are_named_and_the_rest_is_looked_at(hall: Hall) -> None:
    gone = hall.settings.model_copy(update={"database_url": hall.settings.database_url + "x", "kafka": "127.0.0.1:1"})
    no_broker = hall.settings.model_copy(update={"kafka": "127.0.0.1:1"})
    nothing = (await examine(gone, SERVICES)).findings
    rest = (await examine(no_broker, SERVICES)).findings

    assert [(f.check, f.where) for f in nothing] == [("database", READER), ("database", OWNER), ("broker", "kafka")]
    assert {f.state for f in nothing} == {State.BROKEN}
    assert [f.check for f in rest if f.state is State.BROKEN] == ["broker"]
    assert len([f for f in rest if f.state is State.OK]) > 12


@pytest.mark.parametrize(
    ("name", "value", "state", "words"),
    [
        ("retention.ms", "1000000000", State.BROKEN, "does not keep its records for ever"),
        ("max.message.bytes", "100000", State.BROKEN, "one that is larger stops its partition"),
        ("max.message.bytes", "500000", State.WARNING, "more and smaller ones"),
    ],
)
async def test_a_topic_with_other_settings_is_found(
    hall: Hall, name: str, value: str, state: State, words: str
) -> None:
    resource = ConfigResourceType.TOPIC
    async with hall.admin() as admin:
        await admin.alter_configs([ConfigResource(resource, topic_of(OWNER), configs={name: value})])
        found = await hall.ill()
        kept = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
        await admin.alter_configs([ConfigResource(resource, topic_of(OWNER), configs=kept)])

    assert [(f.check, f.state) for f in found] == [("topic", state)]
    assert words in found[0].meaning
    assert found[0].action
    assert await hall.ill() == []


async def _send(hall: Hall, partition: int, *positions: int) -> None:
    producer = Producer(hall.settings, OWNER)
    await producer.start()
    fields = {name: getattr(RECORD, name) for name in RECORD.__struct_fields__}
    records = [type(RECORD)(**{**fields, "service": OWNER, "partition": partition, "position": p}) for p in positions]
    await producer.send(partition, records)
    await producer.stop()


async def test_a_topic_that_is_lost_or_holds_what_it_should_not_is_found_and_fills_itself_again(hall: Hall) -> None:
    async with hall.admin() as admin:
        await admin.delete_records({TopicPartition(topic_of(OWNER), 5): RecordsToDelete(before_offset=3)})
    beginning = {f.check: f for f in await hall.ill(full=True)}
    await hall.delete_topic()
    lost = {f.check: f for f in await hall.ill()}
    await ensure_topics(hall.settings, [OWNER])
    empty = {f.check: f for f in await hall.ill()}
    await _send(hall, 0, 1, 2, 4)
    hole = {f.check: f for f in await hall.ill(full=True)}
    await _send(hall, 1, *range(1, 60))
    ahead = {f.check: f for f in await hall.ill()}
    await hall.delete_topic()
    await ensure_topics(hall.settings, [OWNER])
    await hall.work()
    filled = await hall.ill(full=True)
    async with AIOKafkaProducer(bootstrap_servers=hall.settings.kafka) as stranger:
        await stranger.send_and_wait(topic_of(OWNER), b"junk", partition=2)
    foreign = {f.check: f for f in await hall.ill(full=True)}
    await hall.delete_topic()
    await ensure_topics(hall.settings, [OWNER])
    await hall.work()

    assert "has lost its beginning (partition 5 at offset 3)" in beginning["topic contents"].meaning
    assert "partition 5 has 4 after 0" in beginning["topic whole"].meaning
    assert lost["topic"].state is State.BROKEN
    assert "does not exist" in lost["topic"].meaning
    assert "less than was relayed" in empty["topic contents"].meaning
    assert "partition 0 has 4 after 2" in hole["topic whole"].meaning
    assert "events that the log has not (partition 1: 59 of" in ahead["topic contents"].meaning
    assert filled == []
    assert foreign["topic contents"].state is State.BROKEN
    assert "partition 2 is not one of ours" in foreign["topic contents"].meaning
    assert foreign["topic whole"].state is State.WARNING
    assert await hall.ill(full=True) == []


async def test_processes_are_asked_whether_they_are_well(hall: Hall) -> None:
    away = hall.settings.model_copy(update={"kafka": "127.0.0.1:1"})
    await hall.sql("update lease set holder = null")
    app = create_app(SERVICES[0], away)
    async with app.router.lifespan_context(app), listening(app) as port:
        asked = hall.settings.model_copy(
            update={"service_urls": f"{OWNER}=http://127.0.0.1:{port}, {READER}=http://127.0.0.1:1/"}
        )
        async with asyncio.timeout(20):
            while app.state.runtime.relay.state.problem is None:
                await asyncio.sleep(0.05)
        limps = {(f.check, f.where): f for f in (await examine(asked, SERVICES)).findings}
        app.state.runtime.draining.set()
        stops = {(f.check, f.where): f for f in (await examine(asked, SERVICES)).findings}
    await hall.lease()

    assert limps["service", OWNER].state is State.WARNING
    assert "The relay has a problem" in limps["service", OWNER].meaning
    assert limps["service clock", OWNER].state is State.OK
    assert limps["service", READER].state is State.BROKEN
    assert "No process answers at http://127.0.0.1:1:" in limps["service", READER].meaning
    assert stops["service", OWNER].state is State.BROKEN
    assert "The service is stopping." in stops["service", OWNER].meaning


def test_a_process_whose_clock_is_wrong_is_found() -> None:
    found = check_database.clocks("service clock", "toy", "The service's clock", 100.0)

    assert (found.state, found.meaning.split(". ")[0]) == (
        State.BROKEN,
        "The service's clock is 100.0 s ahead of this machine's",
    )


def test_addresses_are_named_one_by_one_or_by_a_pattern() -> None:
    assert addresses("a=http://x:1/, b=http://y", ["a", "c"]) == {"a": "http://x:1"}
    assert addresses("http://{service}:8000", ["a", "b"]) == {"a": "http://a:8000", "b": "http://b:8000"}
    assert addresses("", ["a"]) == {}


@pytest.mark.parametrize(
    ("room", "state"),
    [(((10, 1), (3, 1)), State.OK), (((101, 1 << 60), (0, 0)), State.WARNING), (((101, 1 << 60),) * 2, State.BROKEN)],
)
def test_a_disk_that_is_nearly_full_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: Any, state: State
) -> None:
    monkeypatch.setattr(check_processes, "ROOM", room)

    assert disk(str(tmp_path)).state is state
    assert disk(str(tmp_path / "nowhere")).state is State.BROKEN
