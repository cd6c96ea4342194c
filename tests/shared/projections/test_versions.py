"""A second version of an event is read with the first, whichever is deployed first: what is written or who reads it.

Read are a log and a topic, by a read model, a replica and a process manager.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import end
from shared.commands.commands import CommandMetadata, Commands
from shared.db import create_engine
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.errors import Unavailable
from shared.events.event import Event, Recorded, encode_data, wire_name
from shared.events.fact import Fact
from shared.events.identity import derived_id
from shared.kafka.topics import ensure_topics
from shared.log.port import Append, NewEvent, Write
from shared.log.postgres import PostgresLog
from shared.processes.dispatcher import Dispatcher
from shared.processes.process_manager import OutgoingCommand
from shared.projections.parked import Replay, replay
from shared.projections.read_model import Change, ReadModel, add, process_manager, put
from shared.projections.read_model_table import read_model_table
from shared.projections.rebuild import rebuild
from shared.projections.reports import PARKED
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.relay.relay import Relay
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.log_source import LogSource
from shared.subscription.source import Source
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.doubles.rows import rows_of
from tests.shared.subscription.topic_feed import delete_topic
from tests.shared.toy import ALICE, COMMUNITY, NOON

SERVICE = "versions"
Kind = Literal["log", "topic"]


class ThreadOpenedV1(Event, frozen=True, tag="guildhall.versions.thread-opened.v1"):
    author: UUID
    characters: int


class ThreadOpened(Event, frozen=True, tag="guildhall.versions.thread-opened.v2"):
    author: UUID | None
    words: int

    @classmethod
    def upcast(cls, older: ThreadOpenedV1) -> ThreadOpened:
        return cls(older.author, older.characters // 5)


class Thanked(Event, frozen=True, tag="guildhall.versions.thanked.v1"):
    pass


METADATA = service_metadata(facts=True)
THREADS = read_model_table(
    "threads",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("thread", sa.Uuid)],
    put=[sa.Column("author", sa.Uuid)],
    add=["words"],
)
AUTHORS = read_model_table(
    "authors",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("thread", sa.Uuid)],
    put=[sa.Column("author", sa.Uuid)],
)


def fold(event: ThreadOpened, record: Recorded) -> Iterator[Change]:
    key = (record.community, record.stream)
    yield put(THREADS, key, record.version, author=event.author)
    yield add(THREADS, key, words=event.words)


def fold_before(event: ThreadOpenedV1, record: Recorded) -> Iterator[Change]:
    yield from fold(ThreadOpened(event.author, event.characters // 5), record)


def know(event: ThreadOpened, record: Recorded) -> Iterator[Change]:
    yield put(AUTHORS, (record.community, record.stream), record.version, author=event.author)


def know_before(event: ThreadOpenedV1, record: Recorded) -> Iterator[Change]:
    yield put(AUTHORS, (record.community, record.stream), record.version, author=event.author)


@dataclass(frozen=True, slots=True)
class Thanks:
    given: bool = False


def evolve_thanks(state: Thanks | None, fact: Fact[Thanked]) -> Thanks:
    return Thanks(True)


THANKS: Decider[Thanks, Thanked] = Decider("thanks", evolve_thanks)


def thanks_for(thread: UUID) -> UUID:
    return derived_id("thanks", thread)


class Thank(OutgoingCommand, frozen=True):
    thread: UUID

    def target(self, community: UUID) -> tuple[Decider[Thanks, Thanked], UUID]:
        return THANKS, thanks_for(self.thread)

    def decide(self, state: Thanks | None, at: datetime) -> list[Thanked]:
        return [] if state else [Thanked()]


def thank(event: ThreadOpened, record: Recorded) -> Iterator[OutgoingCommand]:
    yield Thank(record.stream)


def thank_before(event: ThreadOpenedV1, record: Recorded) -> Iterator[OutgoingCommand]:
    yield Thank(record.stream)


BEFORE = (
    ReadModel("list", (THREADS,), fold_before),
    ReadModel("replica", (AUTHORS,), know_before),
    process_manager("thanks", thank_before, [Thank]),
)
"""What the release before the second version deploys."""
AFTER = (
    ReadModel("list", (THREADS,), fold),
    ReadModel("replica", (AUTHORS,), know),
    process_manager("thanks", thank, [Thank]),
)


@dataclass
class Hall:
    """A log with its topic, and who reads either."""

    settings: Settings
    engine: AsyncEngine
    log: PostgresLog
    store: PostgresReadModelStore
    kind: Kind

    def source(self) -> Source:
        return LogSource(self.log) if self.kind == "log" else KafkaSource(self.settings, SERVICE)

    async def write(self, *events: Event) -> list[UUID]:
        """Each as the beginning of a thread of its own; their ids."""
        threads = [uuid4() for _ in events]
        for thread, event in zip(threads, events, strict=True):
            new = NewEvent(uuid4(), wire_name(type(event)), encode_data(event))
            await self.log.append(Append(COMMUNITY, ALICE, NOON, None, (Write(thread, 0, (new,)),)))
        return threads

    async def read(self, *releases: Sequence[ReadModel]) -> None:
        """Read to the end of the log, at once by all these."""
        tasks = [asyncio.create_task(ProjectionRunner(views, [self.source()], self.store).run()) for views in releases]
        try:
            async with asyncio.timeout(30):
                while not await self._at_end([view.name for view in releases[0]]):
                    await asyncio.sleep(0.02)
        finally:
            await end(*tasks)

    async def _at_end(self, views: Sequence[str]) -> bool:
        heads = await self.log.heads()
        marks = await self.store.watermarks(views, SERVICE, range(self.log.partitions))
        return all(marks[view, p].position == head for view in views for p, head in enumerate(heads))

    async def thanked(self, threads: Sequence[UUID]) -> list[bool]:
        """Once nothing waits to be carried out."""
        async with asyncio.timeout(30), self.engine.connect() as connection:
            while (await connection.execute(sa.text("select count(*) from outgoing_command"))).scalar():
                await asyncio.sleep(0.02)
        return [bool(await self.log.load(thanks_for(thread))) for thread in threads]

    async def rows(self) -> dict[UUID, tuple[Any, ...]]:
        authors = {row["thread"]: row["author"] for row in await rows_of(self.store, AUTHORS)}
        return {
            row["thread"]: (row["author"], row["words"], authors.get(row["thread"], "unknown"))
            for row in await rows_of(self.store, THREADS)
        }

    async def rebuilt_equal(self, views: Sequence[ReadModel]) -> list[tuple[bool, int]]:
        """Whether each view with tables equals its rebuild, and what the rebuild had to park."""
        reports = [await rebuild(view, self.engine, lambda: [self.source()], take_over=False) for view in views[:2]]
        return [(report.equal, report.parked) for report in reports]


@pytest.fixture(params=["log", "topic"])
async def hall(request: pytest.FixtureRequest, fresh_database: FreshDatabase) -> AsyncIterator[Hall]:
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(fresh_database(METADATA))
        engine = create_engine(settings, SERVICE, connections=20)
        stack.push_async_callback(engine.dispose)
        log = PostgresLog(engine, SERVICE, settings.partitions)
        await log.start()
        stack.push_async_callback(log.close)
        if request.param == "topic":
            await delete_topic(settings, SERVICE)
            await ensure_topics(settings, [SERVICE])
            relay = Relay(log, engine, settings)
            log.appended.append(relay.wake)
            stack.push_async_callback(end, asyncio.create_task(relay.run()))
        commands = Commands(log, Catalogue([ThreadOpened, Thanked]))
        dispatcher = Dispatcher(engine, commands, [AFTER[-1]])
        stack.push_async_callback(end, asyncio.create_task(dispatcher.run()))
        store = PostgresReadModelStore(engine, issued=dispatcher.wake)
        stack.push_async_callback(store.close)
        yield Hall(settings, engine, log, store, request.param)


def first(number: int) -> ThreadOpenedV1:
    return ThreadOpenedV1(ALICE, 50 + 5 * number)


def second(number: int) -> ThreadOpened:
    return ThreadOpened(None, number)


def expected(threads: Sequence[UUID], events: Sequence[Event]) -> dict[UUID, tuple[Any, ...]]:
    newest = [ThreadOpened.upcast(event) if isinstance(event, ThreadOpenedV1) else event for event in events]
    return {
        thread: (event.author, event.words, event.author)
        for thread, event in zip(threads, newest, strict=True)
        if isinstance(event, ThreadOpened)
    }


EVENTS = [make(number) for number in range(6) for make in (first, second)]
SECONDS = len(EVENTS) // 2


async def test_readers_deployed_first_read_what_there_is_and_then_both(hall: Hall) -> None:
    old = [event for event in EVENTS if isinstance(event, ThreadOpenedV1)]
    threads = await hall.write(*old)
    await hall.read(AFTER)
    assert await hall.rows() == expected(threads, old)

    threads += await hall.write(*EVENTS)
    await hall.read(AFTER)

    assert await hall.rows() == expected(threads, [*old, *EVENTS])
    assert await hall.store.parked() == []
    assert all(await hall.thanked(threads))
    assert await hall.rebuilt_equal(AFTER) == [(True, 0)] * 2


async def test_a_second_version_deployed_before_its_readers_is_parked_and_loses_nothing(hall: Hall) -> None:
    threads = await hall.write(*EVENTS)
    await hall.read(BEFORE)

    parked = await hall.store.parked()
    assert {(each.view, each.type) for each in parked} == {
        (view.name, "guildhall.versions.thread-opened.v2") for view in BEFORE
    }
    assert len(parked) == len(BEFORE) * SECONDS
    assert all("UnknownVersion" in each.reason for each in parked)
    assert all(PARKED.labels(view.name)._value.get() >= SECONDS for view in BEFORE)  # what the alert looks at
    old = [(thread, event) for thread, event in zip(threads, EVENTS, strict=True) if isinstance(event, ThreadOpenedV1)]
    assert await hall.rows() == expected([thread for thread, _ in old], [event for _, event in old])
    assert await hall.thanked(threads) == [isinstance(event, ThreadOpenedV1) for event in EVENTS]
    # As long as nobody here knows it, no replay passes it by.
    assert await replay(hall.store, BEFORE[0]) == Replay(folded=0, kept=SECONDS)

    await hall.read(AFTER)
    for view in AFTER:
        assert await replay(hall.store, view) == Replay(folded=SECONDS, kept=0)

    assert await hall.rows() == expected(threads, EVENTS)
    assert all(await hall.thanked(threads))
    await hall.read(AFTER)
    assert await hall.rebuilt_equal(AFTER) == [(True, 0)] * 2


async def test_readers_of_both_releases_beside_each_other_lose_nothing(hall: Hall) -> None:
    threads: list[UUID] = []
    for event in EVENTS:
        threads += await hall.write(event)
        await hall.read(AFTER, BEFORE)

    for view in AFTER:
        assert (await replay(hall.store, view)).kept == 0
    await hall.read(AFTER)

    assert await hall.rows() == expected(threads, EVENTS)
    assert all(await hall.thanked(threads))
    assert await hall.rebuilt_equal(AFTER) == [(True, 0)] * 2


async def test_a_rebuild_reads_both_and_one_that_cannot_takes_nothing_over(hall: Hall) -> None:
    threads = await hall.write(*EVENTS)
    await hall.read(AFTER)

    assert await hall.rebuilt_equal(AFTER) == [(True, 0)] * 2
    report = await rebuild(AFTER[0], hall.engine, lambda: [hall.source()])
    assert (report.equal, report.taken_over) == (True, True)
    assert await hall.rows() == expected(threads, EVENTS)
    report = await rebuild(BEFORE[0], hall.engine, lambda: [hall.source()])
    assert (report.equal, report.parked, report.taken_over) == (False, SECONDS, False)


@dataclass(frozen=True, slots=True)
class Thread:
    words: int = 0


def evolve(state: Thread | None, fact: Fact[ThreadOpened]) -> Thread:
    return Thread(fact.event.words)


def evolve_before(state: Thread | None, fact: Fact[ThreadOpenedV1]) -> Thread:
    return Thread(fact.event.characters // 5)


@pytest.mark.parametrize("hall", ["log"], indirect=True)
async def test_the_writer_itself_decides_on_both_and_on_none_that_it_does_not_know(hall: Hall) -> None:
    threads = await hall.write(first(3), second(4))
    decider: Decider[Thread, ThreadOpened] = Decider("thread", evolve)
    commands = Commands(hall.log, Catalogue([ThreadOpenedV1, ThreadOpened]))
    assert [(await commands.load(decider, thread)).state for thread in threads] == [Thread(13), Thread(4)]

    before: Decider[Thread, ThreadOpenedV1] = Decider("thread", evolve_before)
    rolled_back = Commands(hall.log, Catalogue([ThreadOpenedV1]))
    decide: Callable[[Thread | None], list[ThreadOpenedV1]] = lambda _: [first(9)]  # noqa: E731
    with pytest.raises(Unavailable, match=r"thread-opened\.v2"):
        await rolled_back.execute(before, threads[1], decide, act=CommandMetadata(COMMUNITY, ALICE, NOON))
    assert len(await hall.log.load(threads[1])) == 1
