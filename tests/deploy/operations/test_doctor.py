"""Each check: the thing is broken for real, the doctor says so, it is mended, and the doctor is content again."""

from __future__ import annotations

import asyncio
import time

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from deploy.operations import check_database, check_log
from deploy.operations.doctor import examine
from deploy.operations.findings import State
from deploy.operations.topics import topics
from services.feedback.app import SERVICE as FEEDBACK
from shared.events.envelope import to_wire
from shared.kafka.topics import ensure_topics, topic_of
from shared.relay.producer import Producer
from shared.service.migrate import migrate, newest
from shared.service.service import create_app
from tests.deploy.operations.breaks import BREAKS, GIVE_BACK, Break
from tests.deploy.operations.hall import EVENTS, OWNER, READER, SERVICES, Hall
from tests.shared.events.test_event import RECORD
from tests.shared.live import listening


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


@pytest.mark.parametrize(
    ("ahead", "unsure", "state"),
    [(0.0, 0.001, State.OK), (0.1, 0.001, State.OK), (0.15, 0.001, State.BROKEN), (-9.0, 0.001, State.BROKEN),
     (0.15, 0.04, State.OK)],
)  # fmt: skip
def test_clocks_of_databases_are_held_against_the_bound(ahead: float, unsure: float, state: State) -> None:
    found = check_database.together({"member": (5.0, unsure), "content": (5.0 + ahead, unsure)}, 0.1)

    assert (found.check, found.state) == ("database clocks", state)
    if state is State.BROKEN:
        first, last = sorted(["member", "content"], key={"member": 0.0, "content": ahead}.__getitem__)
        assert f"The clock of {last} is {abs(ahead):.3f} s ahead of that of {first}" in found.meaning


async def test_a_database_that_was_not_migrated_is_found(hall: Hall) -> None:
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

    (needed,) = newest(FEEDBACK)
    assert empty == {f"The database is at no revision, the program needs {needed}: the service is not ready."}
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
    assert f"{topic_of(OWNER)} is not the log's: partition 2 at offset" in foreign["topic contents"].meaning
    assert foreign["topic whole"].state is State.WARNING
    assert await hall.ill(full=True) == []


async def test_records_that_the_log_did_not_write_are_found_by_topic_partition_and_offset(hall: Hall) -> None:
    async with topics(hall.settings, [OWNER]) as found:
        offset = (await found.ends(OWNER))[4]
    value = to_wire(msgspec.structs.replace(RECORD, service=OWNER, partition=4, position=offset + 1))
    async with AIOKafkaProducer(bootstrap_servers=hall.settings.kafka) as stranger:
        await stranger.send_and_wait(topic_of(OWNER), value, partition=4)
    last = {f.check: f for f in await hall.ill()}
    await _send(hall, 4, offset)  # as the relay does behind what others wrote
    hidden = {full: await hall.ill(full=full) for full in (False, True)}
    unkeyed = await examine(hall.settings.model_copy(update={"record_secret": SecretStr("")}), SERVICES)
    await hall.delete_topic()
    await ensure_topics(hall.settings, [OWNER])
    await hall.work()

    where = f"partition 4 at offset {offset}"
    assert last["topic contents"].state is State.BROKEN
    assert where in last["topic contents"].meaning
    assert where in last["topic records"].meaning
    for full, check in ((False, "topic records"), (True, "topic whole")):
        assert [(f.check, f.state) for f in hidden[full]] == [(check, State.WARNING)]
        assert f"1 records on {topic_of(OWNER)} are not the log's ({where})" in hidden[full][0].meaning
        assert "take the right away" in hidden[full][0].action
    assert any("GUILDHALL_RECORD_SECRET" in part for part in unkeyed.not_looked_at)
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
