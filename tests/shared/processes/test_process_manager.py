"""What follows from an event is written down with the checkpoint, and carried out with one effect."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from shared.commands.commands import Commands
from shared.events.catalogue import Catalogue
from shared.events.errors import Conflict
from shared.events.event import Recorded
from shared.events.identity import derived_id
from shared.events.schedule import next_time
from shared.kafka.topics import ensure_topics
from shared.processes.process_manager import AT_ONCE, OutgoingCommand, Timer, decoder_of, issued
from shared.projections.parked import Replay, replay
from shared.projections.read_model import process_manager
from shared.projections.rebuild import rebuild
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import Service, create_app
from shared.subscription.log_source import LogSource
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.doubles.log import MemoryLog
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared import toy
from tests.shared.issuer import ISSUER, write_key_set
from tests.shared.processes.conftest import Shop, until
from tests.shared.processes.gifts import GIFTS, Give, Match, gift_of
from tests.shared.sources import read_until
from tests.shared.subscription.topic_feed import delete_topic
from tests.shared.toy import ACCOUNT, ACT, COMMUNITY, NOON, AccountOpened, open_account, stream

LATER = NOON + timedelta(days=3)


def record(number: int = 1) -> Recorded:
    data = msgspec.json.encode({"owner_id": toy.ALICE})
    return Recorded(
        "toy", 0, 1, stream(number), 1, "guildhall.toy.account-opened.v1", UUID(int=number), COMMUNITY, None, NOON,
        NOON, None, data, None, None,
    )  # fmt: skip


def test_a_command_waits_as_json_under_an_id_that_follows_from_its_cause() -> None:
    one = issued("gifts", record(), 0, Give(stream(1), 7))

    assert (one.id, one.cause) == (derived_id("command", UUID(int=1), "gifts", 0), UUID(int=1))
    assert (one.target, one.community, one.occurred_at, one.due_at) == (gift_of(stream(1)), COMMUNITY, NOON, AT_ONCE)
    assert issued("gifts", record(), 0, Give(stream(1), 7)) == one
    assert (
        len(
            {
                issued(*each, Give(stream(1))).id
                for each in (
                    ("gifts", record(), 0),
                    ("gifts", record(), 1),
                    ("others", record(), 0),
                    ("gifts", record(2), 0),
                )
            }
        )
        == 4
    )
    assert decoder_of([Give, Match]).decode(one.command) == decoder_of([Give]).decode(one.command) == Give(stream(1), 7)


def test_a_timer_is_due_and_happens_at_its_time() -> None:
    one = issued("gifts", record(), 0, Timer(LATER, Give(stream(1))))
    assert (one.occurred_at, one.due_at) == (LATER, LATER)


def test_a_command_of_a_class_that_is_not_the_managers_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        decoder_of([Match]).decode(issued("gifts", record(), 0, Give(stream(1))).command)


@pytest.mark.parametrize(
    ("after", "zone", "at", "due"),
    [
        ("2026-03-01T04:59:00Z", "Europe/Paris", time(6), "2026-03-01T05:00:00Z"),
        ("2026-03-01T05:00:00Z", "Europe/Paris", time(6), "2026-03-02T05:00:00Z"),
        ("2026-03-01T21:59:59Z", "Asia/Shanghai", time(6), "2026-03-01T22:00:00Z"),
        ("2026-03-28T23:00:00Z", "Europe/Paris", time(2, 30), "2026-03-29T01:30:00Z"),  # 02:30 is skipped that night
        ("2026-10-25T00:00:00Z", "Europe/Paris", time(2, 30), "2026-10-25T00:30:00Z"),  # the first of two
        ("2026-10-25T00:30:00Z", "Europe/Paris", time(2, 30), "2026-10-26T01:30:00Z"),
        ("2011-12-29T23:00:00Z", "Pacific/Apia", time(6), "2011-12-30T16:00:00Z"),  # a day that was left out there
    ],
)
def test_the_next_time_of_a_clock_in_a_time_zone(after: str, zone: str, at: time, due: str) -> None:
    found = next_time(datetime.fromisoformat(after), zone, at)
    assert found == datetime.fromisoformat(due)
    assert found.tzinfo is UTC


async def test_what_is_issued_is_written_with_the_checkpoint_or_not_at_all() -> None:
    log, store = MemoryLog("toy", 3), MemoryReadModelStore()
    await Commands(log, toy.CATALOGUE).execute(ACCOUNT, stream(1), open_account, act=ACT)
    (cause,) = await log.load(stream(1))

    await read_until(ProjectionRunner([GIFTS], [LogSource(log)], store), lambda: bool(store.issued))

    assert [(each.cause, each.target) for each in store.issued.values()] == [(cause.id, gift_of(stream(1)))]


async def test_it_is_carried_out_in_its_events_community_at_its_time_caused_by_it(shop: Shop) -> None:
    await shop.opens(1)
    (cause,) = await shop.log.load(stream(1))
    await shop.read()
    assert [row["cause"] for row in await shop.waiting()] == [cause.id]

    async with shop.carrying_out():
        await until(shop.all_done)

    gift = await shop.gift(1)
    assert await shop.waiting() == []
    assert [each.type for each in gift] == ["guildhall.toy.account-opened.v1", "guildhall.toy.deposited.v1"]
    assert {(e.community, e.actor, e.occurred_at, e.causation) for e in gift} == {
        (cause.community, None, cause.occurred_at, cause.id)
    }
    assert [e.id for e in gift] == [derived_id("caused", cause.id, gift_of(stream(1)), version) for version in (1, 2)]


async def test_a_decision_may_rest_on_other_streams(shop: Shop) -> None:
    def match(event: AccountOpened, record: Recorded) -> list[OutgoingCommand]:
        return [] if record.causation else [Match(record.stream)]

    manager = process_manager("gifts", match, [Match])
    await shop.opens(1)
    await shop.commands.execute(ACCOUNT, stream(1), lambda state: toy.deposit(30, state), act=ACT)
    await shop.read(manager)
    async with shop.carrying_out(manager):
        await until(shop.all_done)

    (_, deposited) = await shop.log.load(derived_id("match", stream(1)))
    assert msgspec.json.decode(deposited.data) == {"amount": 30}


async def test_an_event_of_which_nothing_can_follow_is_parked_and_its_commands_are_issued_when_it_is_replayed(
    shop: Shop,
) -> None:
    broken = True

    def give(event: AccountOpened, record: Recorded) -> list[OutgoingCommand]:
        if broken and record.stream == stream(1):
            raise ValueError("no price")
        return [] if record.causation else [Give(record.stream)]

    manager = process_manager("gifts", give, [Give])
    await shop.opens(1, 2)
    await shop.read(manager)
    store = PostgresReadModelStore(shop.engine)
    try:
        assert [each.reason for each in await store.parked()] == ["ValueError: no price"]
        assert [row["target"] for row in await shop.waiting()] == [gift_of(stream(2))]
        broken = False
        assert await replay(store, manager) == Replay(folded=1, kept=0)
    finally:
        await store.close()
    assert [row["target"] for row in await shop.waiting()] == [gift_of(stream(2)), gift_of(stream(1))]


async def test_two_readers_and_two_dispatchers_carry_out_each_once(shop: Shop) -> None:
    await shop.opens(*range(20))
    await asyncio.gather(shop.read(), shop.read())
    async with shop.carrying_out(), shop.carrying_out():
        await until(shop.all_done)

    assert set(await shop.gifts(*range(20))) == {2}
    assert sum(await shop.log.heads()) == 20 * 3


async def test_a_process_manager_cannot_be_rebuilt_since_it_has_no_rows(shop: Shop) -> None:
    with pytest.raises(Conflict, match="gifts is a process manager"):
        await rebuild(GIFTS, shop.engine, list)


async def test_a_service_does_what_follows_from_what_comes_through_kafka(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    metadata = service_metadata(facts=True)
    service = Service(name="toy", metadata=metadata, events=toy, process_managers=(GIFTS,), migrations=Path("none"))
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(metadata) as settings:
        settings = settings.model_copy(update={"issuer": ISSUER, "jwks": jwks})
        await delete_topic(settings, "toy")
        await ensure_topics(settings, ["toy", "member"])
        app = create_app(service, settings)
        async with app.router.lifespan_context(app):
            commands = app.state.runtime.commands
            for number in (1, 2, 3):
                await commands.execute(ACCOUNT, stream(number), open_account, act=ACT)

            async def given() -> bool:
                return bool(sum(await commands.log.heads()) == 9)

            await until(given)
            assert {len(await commands.log.load(gift_of(stream(number)))) for number in (1, 2, 3)} == {2}


def test_a_service_without_a_log_has_no_process_managers() -> None:
    with pytest.raises(TypeError, match="process managers need a log"):
        Service(name="reader", metadata=service_metadata(facts=False), process_managers=(GIFTS,))


def test_its_events_are_read_off_its_type() -> None:
    assert (GIFTS.events, GIFTS.sources, GIFTS.tables) == ((AccountOpened,), ("toy",), ())
    assert isinstance(GIFTS.catalogue, Catalogue)
