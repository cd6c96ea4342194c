"""A reaction carries out its orders at least once and harmless twice, and parks what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from shared.commands.commands import Commands
from shared.db import create_engine
from shared.events.catalogue import Catalogue
from shared.events.errors import Conflict, NotFound, Problem, Unavailable
from shared.events.event import Recorded, Undecodable
from shared.events.identity import derived_id
from shared.kafka.topics import ensure_topics
from shared.log.port import Append, Position
from shared.log.postgres import PostgresLog
from shared.processes.process_manager import OutgoingCommand, dispatch, follow
from shared.projections.outgoing import dispatch_all
from shared.projections.parked import Replay, replay
from shared.projections.parked_store import Parked, Retried, Retry
from shared.projections.read_model import ReadModel, process_manager
from shared.projections.rebuild import rebuild
from shared.projections.reports import PARKED
from shared.projections.runner import ProjectionRunner
from shared.projections.store import Batch
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import Service, create_app
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.doubles.log import MemoryLog
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared import toy
from tests.shared.issuer import ISSUER, write_key_set
from tests.shared.sources import read_until
from tests.shared.subscription.topic_feed import delete_topic
from tests.shared.toy import ACCOUNT, ACT, ALICE, CATALOGUE, Account, AccountOpened, Deposited, open_account, stream


def gift_of(account: UUID) -> UUID:
    """The gift that is made because an account was opened."""
    return derived_id("gift", account)


def make_gift(state: Account | None) -> list[toy.AccountEvent]:
    return [] if state else [AccountOpened(ALICE), Deposited(5)]


def give(event: AccountOpened, record: Recorded) -> Iterator[OutgoingCommand[Account, toy.AccountEvent]]:
    """Who opens an account is given one; a gift is no account that was opened."""
    if record.causation is None:
        yield follow(record, ACCOUNT, gift_of(record.stream), make_gift)


GIFTS = process_manager("gifts", give)


async def open_accounts(commands: Commands, *numbers: int) -> None:
    for number in numbers:
        await commands.execute(ACCOUNT, stream(number), open_account, act=ACT)


async def react(
    store: MemoryReadModelStore | PostgresReadModelStore, log: MemoryLog | PostgresLog, view: ReadModel = GIFTS
) -> None:
    """Read until the reaction is at the end of the log, which it makes longer itself."""
    reader = ProjectionRunner([view], [LogSource(log)], store)
    task = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(60):
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


def store_of(commands: Commands) -> MemoryReadModelStore:
    return MemoryReadModelStore(execute=partial(dispatch, commands))


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
    class Crashing(MemoryReadModelStore):
        """Dies once between the orders and the mark."""

        crashes = 1

        async def write(self, batch: Batch) -> object:
            if self.crashes:
                self.crashes -= 1
                await dispatch_all(self.execute, batch.commands)
                raise ConnectionError("killed")
            return await super().write(batch)

    await open_accounts(commands, 1, 2)
    store = Crashing(execute=partial(dispatch, commands))

    await react(store, log)

    assert store.crashes == 0
    assert [len(await log.load(gift_of(stream(number)))) for number in (1, 2)] == [2, 2]


async def test_a_refused_order_parks_its_event_and_is_carried_out_when_replayed(
    log: MemoryLog, commands: Commands
) -> None:
    closed = True

    def unless_closed(state: Account | None) -> list[toy.AccountEvent]:
        if closed:
            raise Conflict("The shop is closed.")
        return make_gift(state)

    def give_if_open(event: AccountOpened, record: Recorded) -> Iterator[OutgoingCommand[Account, toy.AccountEvent]]:
        if record.causation is None:
            yield follow(record, ACCOUNT, gift_of(record.stream), unless_closed if record.stream == one else make_gift)

    one, view, store = stream(1), process_manager("gifts", give_if_open), store_of(commands)
    await open_accounts(commands, 1, 2)

    await react(store, log, view)

    (parked,) = await store.parked()
    assert (parked.stream, parked.reason) == (
        one,
        "CommandRefused: In conflict with the current state: The shop is closed.",
    )
    assert [len(await log.load(gift_of(stream(number)))) for number in (1, 2)] == [0, 2]

    closed = False
    assert await replay(store, view) == Replay(folded=1, kept=0)
    assert len(await log.load(gift_of(one))) == 2


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Conflict("Others are first.", retry_after=1), "In conflict with the current state: Others are first."),
        (NotFound("There is no such shop."), "Not found: There is no such shop."),
        (Problem("Broken."), "Internal error: Broken."),
        (ValueError("no price"), "ValueError: no price"),
        (Undecodable("not what its name says"), "Undecodable: not what its name says"),
    ],
)
async def test_an_order_that_can_never_pass_is_parked_with_why_and_holds_up_no_other(
    fresh_database: FreshDatabase, error: Exception, why: str
) -> None:
    asked: list[int] = []

    def never(_: Account | None) -> list[toy.AccountEvent]:
        asked.append(len(asked))
        raise error

    def give_but_one(event: AccountOpened, record: Recorded) -> Iterator[OutgoingCommand[Account, toy.AccountEvent]]:
        if record.causation is None:
            yield follow(record, ACCOUNT, gift_of(record.stream), never if record.stream == stream(1) else make_gift)

    view = process_manager("gifts", give_but_one)
    async with fresh_database(service_metadata(facts=True)) as settings, a_log(settings) as (log, store, commands):
        await open_accounts(commands, *range(1, 20))
        await react(store, log, view)

        (parked,) = await store.parked()
        assert (parked.view, parked.stream, parked.reason) == ("gifts", stream(1), f"CommandRefused: {why}")
        assert PARKED.labels("gifts")._value.get() == 1  # what the alert looks at
        assert [len(await log.load(gift_of(stream(n)))) for n in range(1, 20)] == [0] + [2] * 18
        tried = len(asked)
        await open_accounts(commands, 20)
        await react(store, log, view)
        assert (len(asked), len(await log.load(gift_of(stream(20))))) == (tried, 2)

        assert await replay(store, view) == Replay(folded=0, kept=1)
        assert await replay(store, GIFTS) == Replay(folded=1, kept=0)
        assert len(await log.load(gift_of(stream(1)))) == 2


async def test_a_target_that_does_not_answer_yet_holds_up_no_other(log: MemoryLog, commands: Commands) -> None:
    others = asyncio.Event()

    async def execute(order: OutgoingCommand[Account, toy.AccountEvent]) -> None:
        if order.stream == gift_of(stream(1)):
            await others.wait()
        await dispatch(commands, order)
        if order.stream == gift_of(stream(3)):
            others.set()

    await open_accounts(commands, 1, 2, 3)
    await react(MemoryReadModelStore(execute=execute), log)

    assert [len(await log.load(gift_of(stream(n)))) for n in (1, 2, 3)] == [2, 2, 2]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("The log does not answer."),
        asyncpg.SerializationError(""),
        asyncpg.DeadlockDetectedError(""),
        asyncpg.ReadOnlySQLTransactionError(""),
        asyncpg.PostgresIOError(""),
        OSError(),
    ],
    ids=repr,
)
async def test_a_log_that_is_away_or_gives_up_is_asked_again_and_nothing_is_parked(
    log: MemoryLog, commands: Commands, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failures, append = 2, log.append

    async def failing(request: Append) -> list[Position]:
        nonlocal failures
        if failures and request.causation is not None:
            failures -= 1
            raise error
        return await append(request)

    monkeypatch.setattr(log, "append", failing)
    execute = partial(dispatch, commands)
    await open_accounts(commands, 1)
    store = MemoryReadModelStore(execute=execute)

    await react(store, log)

    assert (failures, await store.parked()) == (0, [])
    assert len(await log.load(gift_of(stream(1)))) == 2


async def test_a_store_without_a_log_parks_orders(log: MemoryLog, commands: Commands) -> None:
    await open_accounts(commands, 1)
    store = MemoryReadModelStore()
    reader = ProjectionRunner([GIFTS], [LogSource(log)], store)

    await read_until(reader, lambda: bool(store.held))

    assert [parked.reason for parked in await store.parked()] == [
        "CommandRefused: Nobody here carries out commands; this one is for a account."
    ]


@asynccontextmanager
async def a_log(settings: Settings) -> AsyncIterator[tuple[PostgresLog, PostgresReadModelStore, Commands]]:
    engine = create_engine(settings, "toy", connections=20)
    log = PostgresLog(engine, "toy", settings.partitions)
    await log.start()
    commands = Commands(log, CATALOGUE)
    store = PostgresReadModelStore(engine, execute=partial(dispatch, commands))
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
    service = Service(name="toy", metadata=metadata, events=toy, process_managers=(GIFTS,), migrations=Path("none"))
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
        Service(name="reader", metadata=service_metadata(facts=False), process_managers=(GIFTS,))


def test_the_events_of_a_reaction_are_read_off_its_type() -> None:
    assert (GIFTS.events, GIFTS.sources, GIFTS.tables) == ((AccountOpened,), ("toy",), ())
    assert isinstance(GIFTS.catalogue, Catalogue)


async def test_a_stream_that_a_newer_release_has_written_parks_what_is_for_it_and_holds_up_no_other(
    log: MemoryLog, commands: Commands
) -> None:
    older = Commands(log, Catalogue([AccountOpened, Deposited]))
    await commands.execute(ACCOUNT, gift_of(stream(1)), toy.close, act=ACT)
    await open_accounts(commands, 1, 2)
    store = store_of(older)

    await react(store, log)

    (parked,) = await store.parked()
    assert parked.stream == stream(1)
    assert "account-closed.v1: a newer release has written it" in parked.reason
    assert [len(await log.load(gift_of(stream(number)))) for number in (1, 2)] == [1, 2]


async def test_the_parked_events_of_a_stream_are_replayed_each_in_a_transaction_of_its_own(
    log: MemoryLog, commands: Commands
) -> None:
    """However many there are: commands are carried out within the transaction, which may last only so long."""
    together: list[int] = []

    class Counting(MemoryReadModelStore):
        async def replay(self, view: str, parked: Parked, generation: str, retry: Retry) -> Retried:
            retried = await super().replay(view, parked, generation, retry)
            together.append(len(retried.commands))
            return retried

    def thank(event: Deposited, record: Recorded) -> Iterator[OutgoingCommand[Account, toy.AccountEvent]]:
        if record.causation is None:
            if closed:
                raise ValueError("not yet")
            yield follow(record, ACCOUNT, gift_of(record.id), make_gift)

    closed, view, store = True, process_manager("gifts", thank), Counting(execute=partial(dispatch, commands))
    await open_accounts(commands, 1)
    for _ in range(5):
        await commands.execute(ACCOUNT, stream(1), partial(toy.deposit, 1), act=ACT)
    await react(store, log, view)
    closed = False

    assert await replay(store, view) == Replay(folded=5, kept=0)
    assert together == [1] * 5
    deposits = (await log.load(stream(1)))[1:]
    assert [len(await log.load(gift_of(record.id))) for record in deposits] == [2] * 5
