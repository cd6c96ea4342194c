"""A reaction carries out its orders at least once and harmless twice, and parks what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from shared.commands import Commands
from shared.db import create_engine
from shared.errors import Conflict, Unavailable
from shared.event import Catalogue, Recorded
from shared.identity import derived_id
from shared.log.memory import MemoryLog
from shared.log.postgres import PostgresLog
from shared.reactions import Order, carry_out, follow
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.stream.log_source import LogSource
from shared.stream.topics import ensure_topics
from shared.tables import service_metadata
from shared.views.parked import Replay, replay
from shared.views.reader import Reader
from shared.views.rebuild import rebuild
from shared.views.store import Batch, carry_out_all
from shared.views.store_memory import MemoryViewStore
from shared.views.store_postgres import PostgresViewStore
from shared.views.view import View, reaction
from tests.conftest import FreshDatabase
from tests.shared import toy
from tests.shared.issuer import ISSUER, write_key_set
from tests.shared.sources import read_until
from tests.shared.stream.topic_feed import delete_topic
from tests.shared.toy import ACCOUNT, ACT, ALICE, CATALOGUE, Account, AccountOpened, Deposited, open_account, stream


def gift_of(account: UUID) -> UUID:
    """The gift that is made because an account was opened."""
    return derived_id("gift", account)


def make_gift(state: Account) -> list[toy.AccountEvent]:
    return [] if state.open else [AccountOpened(ALICE), Deposited(5)]


def give(event: AccountOpened, record: Recorded) -> Iterator[Order[Account, toy.AccountEvent]]:
    """Who opens an account is given one; a gift is no account that was opened."""
    if record.causation is None:
        yield follow(record, ACCOUNT, gift_of(record.stream), make_gift)


GIFTS = reaction("gifts", give)


async def open_accounts(commands: Commands, *numbers: int) -> None:
    for number in numbers:
        await commands.execute(ACCOUNT, stream(number), open_account, act=ACT)


async def react(store: MemoryViewStore | PostgresViewStore, log: MemoryLog | PostgresLog, view: View = GIFTS) -> None:
    """Read until the reaction is at the end of the log, which it makes longer itself."""
    reader = Reader([view], [LogSource(log)], store)
    task = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(10):
            behind = True
            while behind:
                await asyncio.sleep(0.01)
                marks = await store.watermarks([view.name], log.service, range(log.partitions))
                behind = [marks[view.name, p].position for p in range(log.partitions)] != await log.heads()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("toy", 3)


@pytest.fixture
def commands(log: MemoryLog) -> Commands:
    return Commands(log, CATALOGUE)


def store_of(commands: Commands) -> MemoryViewStore:
    return MemoryViewStore(execute=partial(carry_out, commands))


async def test_an_order_is_carried_out_in_its_events_community_at_its_time_caused_by_it(
    log: MemoryLog, commands: Commands
) -> None:
    await open_accounts(commands, 1)
    (cause,) = await log.load(stream(1))

    await react(store_of(commands), log)

    gift = await log.load(gift_of(stream(1)))
    assert [record.type for record in gift] == ["guildhall.toy.account-opened.v1", "guildhall.toy.deposited.v1"]
    assert {(r.community, r.actor, r.occurred_at, r.causation) for r in gift} == {
        (cause.community, None, cause.occurred_at, cause.id)
    }
    assert [r.id for r in gift] == [derived_id("caused", cause.id, gift_of(stream(1)), version) for version in (1, 2)]


async def test_an_order_carried_out_twice_has_one_effect(log: MemoryLog, commands: Commands) -> None:
    class Crashing(MemoryViewStore):
        """Dies once between the orders and the mark."""

        crashes = 1

        async def write(self, batch: Batch) -> object:
            if self.crashes:
                self.crashes -= 1
                await carry_out_all(self.execute, batch.orders)
                raise ConnectionError("killed")
            return await super().write(batch)

    await open_accounts(commands, 1, 2)
    store = Crashing(execute=partial(carry_out, commands))

    await react(store, log)

    assert store.crashes == 0
    assert [len(await log.load(gift_of(stream(number)))) for number in (1, 2)] == [2, 2]


async def test_a_refused_order_parks_its_event_and_is_carried_out_when_replayed(
    log: MemoryLog, commands: Commands
) -> None:
    closed = True

    def unless_closed(state: Account) -> list[toy.AccountEvent]:
        if closed:
            raise Conflict("The shop is closed.")
        return make_gift(state)

    def give_if_open(event: AccountOpened, record: Recorded) -> Iterator[Order[Account, toy.AccountEvent]]:
        if record.causation is None:
            yield follow(record, ACCOUNT, gift_of(record.stream), unless_closed if record.stream == one else make_gift)

    one, view, store = stream(1), reaction("gifts", give_if_open), store_of(commands)
    await open_accounts(commands, 1, 2)

    await react(store, log, view)

    (parked,) = await store.parked()
    assert (parked.stream, parked.reason) == (
        one,
        "OrderRefused: In conflict with the current state: The shop is closed.",
    )
    assert [len(await log.load(gift_of(stream(number)))) for number in (1, 2)] == [0, 2]

    closed = False
    assert await replay(store, view) == Replay(folded=1, kept=0)
    assert len(await log.load(gift_of(one))) == 2


async def test_a_log_that_is_away_is_waited_for_and_nothing_is_parked(log: MemoryLog, commands: Commands) -> None:
    failures = 2

    async def execute(order: Order[Account, toy.AccountEvent]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise Unavailable("The log does not answer.")
        await carry_out(commands, order)

    await open_accounts(commands, 1)
    store = MemoryViewStore(execute=execute)

    await react(store, log)

    assert (failures, await store.parked()) == (0, [])
    assert len(await log.load(gift_of(stream(1)))) == 2


async def test_a_store_without_a_log_parks_orders(log: MemoryLog, commands: Commands) -> None:
    await open_accounts(commands, 1)
    store = MemoryViewStore()
    reader = Reader([GIFTS], [LogSource(log)], store)

    await read_until(reader, lambda: bool(store.held))

    assert [parked.reason for parked in await store.parked()] == [
        "OrderRefused: Nobody here carries out orders; this one is for a account."
    ]


@asynccontextmanager
async def a_log(settings: Settings) -> AsyncIterator[tuple[PostgresLog, PostgresViewStore, Commands]]:
    engine = create_engine(settings, "toy", connections=20)
    log = PostgresLog(engine, "toy", settings.partitions)
    await log.start()
    commands = Commands(log, CATALOGUE)
    store = PostgresViewStore(engine, execute=partial(carry_out, commands))
    try:
        yield log, store, commands
    finally:
        await log.close()
        await store.close()
        await engine.dispose()


async def test_two_readers_in_postgresql_carry_out_each_order_once(fresh_database: FreshDatabase) -> None:
    async with fresh_database(service_metadata(facts=True)) as settings, a_log(settings) as (log, store, commands):
        await open_accounts(commands, *range(20))

        await asyncio.gather(react(store, log), react(store, log))

        assert {len(await log.load(gift_of(stream(number)))) for number in range(20)} == {2}
        assert sum(await log.heads()) == 20 * 3


async def test_a_reaction_cannot_be_rebuilt_since_it_has_no_rows(fresh_database: FreshDatabase) -> None:
    async with fresh_database(service_metadata(facts=True)) as settings:
        engine = create_engine(settings, "toy")
        with pytest.raises(Conflict, match="gifts is a reaction"):
            await rebuild(GIFTS, engine, list)
        await engine.dispose()


async def test_a_service_reacts_to_what_comes_through_kafka(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    metadata = service_metadata(facts=True)
    service = Service(name="toy", metadata=metadata, events=toy, reactions=(GIFTS,), migrations=Path("none"))
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(metadata) as settings:
        settings = settings.model_copy(update={"issuer": ISSUER, "jwks": jwks})
        await delete_topic(settings, "toy")
        await ensure_topics(settings, ["toy", "member"])
        app = create_app(service, settings)
        async with app.router.lifespan_context(app):
            commands = app.state.runtime.commands
            await open_accounts(commands, 1, 2, 3)
            async with asyncio.timeout(20):
                while sum(await commands.log.heads()) < 9:
                    await asyncio.sleep(0.05)

            assert {len(await commands.log.load(gift_of(stream(number)))) for number in (1, 2, 3)} == {2}
            assert [record.causation for record in await commands.log.load(gift_of(stream(1)))] == [
                (await commands.log.load(stream(1)))[0].id
            ] * 2


def test_a_service_without_a_log_cannot_react() -> None:
    with pytest.raises(TypeError, match="reactions need a log"):
        Service(name="reader", metadata=service_metadata(facts=False), reactions=(GIFTS,))


def test_the_events_of_a_reaction_are_read_off_its_type() -> None:
    assert (GIFTS.events, GIFTS.sources, GIFTS.tables) == ((AccountOpened,), ("toy",), ())
    assert isinstance(GIFTS.catalogue, Catalogue)
