"""Every answer can say how far its views are, in the process that moves them and in any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.events.errors import BadRequest, Behind
from shared.events.event import encode_data, wire_name
from shared.events.positions import EXAMPLE, Seal
from shared.log.port import Append, NewEvent, Write, partition_of
from shared.log.postgres import PostgresLog
from shared.projections.freshness import Freshness, Watch
from shared.projections.heads import KEEP
from shared.projections.movement import Movement
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.log_source import LogSource
from tests.conftest import FreshDatabase
from tests.shared.board import METADATA, NOON, VOTE_COUNT, Voted, community, item, member
from tests.shared.sources import positions, read_until

PARTITIONS = 12
STREAM = item(1)
PLACE = ("beta", partition_of(STREAM, PARTITIONS))


@pytest.fixture
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(METADATA) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "beta", connections=20)
    yield engine
    await engine.dispose()


@pytest.fixture
async def log(engine: AsyncEngine) -> AsyncIterator[PostgresLog]:
    log = PostgresLog(engine, "beta")
    await log.start()
    yield log
    await log.close()


@pytest.fixture
async def store(engine: AsyncEngine) -> AsyncIterator[PostgresReadModelStore]:
    store = PostgresReadModelStore(engine)
    yield store
    await store.close()


async def vote(log: PostgresLog, times: int = 1) -> None:
    before = len(await log.load(STREAM))
    vote = Voted(item(1), member(1), 1)
    events = tuple(NewEvent(uuid4(), wire_name(Voted), encode_data(vote)) for _ in range(times))
    await log.append(Append(community(), None, NOON, None, (Write(STREAM, before, events),)))


def one_partition(position: int) -> list[int]:
    return [position if partition == PLACE[1] else 0 for partition in range(PARTITIONS)]


async def test_a_view_of_the_own_log_is_measured_exactly(
    engine: AsyncEngine, log: PostgresLog, store: PostgresReadModelStore
) -> None:
    watch = Watch(engine, partitions=PARTITIONS, own="beta")
    await vote(log, 3)
    await asyncio.sleep(0.05)
    unread = await watch.freshness(VOTE_COUNT)
    reader = ProjectionRunner([VOTE_COUNT], [LogSource(log)], store)

    await read_until(reader, lambda: positions(reader, "beta") == one_partition(3))

    assert (unread.positions, unread.lag_events) == ({"beta": one_partition(0)}, 3)
    assert 0.05 <= unread.lag_seconds < 5
    assert unread.complete_until is not None
    found = await watch.freshness(VOTE_COUNT)
    assert found.complete_until is not None
    assert 0 <= (datetime.now(UTC) - found.complete_until).total_seconds() < 5
    assert unread.complete_until < found.complete_until
    assert (found.positions, found.lag_events, found.lag_seconds) == ({"beta": one_partition(3)}, 0, 0.0)


async def test_who_waits_for_a_position_is_answered_when_the_view_is_there(
    engine: AsyncEngine, log: PostgresLog, store: PostgresReadModelStore
) -> None:
    movement = Movement()
    here, elsewhere = (Watch(engine, partitions=PARTITIONS, own="beta", movement=p) for p in (movement, None))
    reader = ProjectionRunner([VOTE_COUNT], [LogSource(log)], store, movement=movement)

    async def write_and_wait() -> None:
        for n in range(1, 6):
            await vote(log)
            for watch in (here, elsewhere):
                await watch.wait_for([VOTE_COUNT], {PLACE: n, ("other", 3): 99}, 5.0)

    task = asyncio.create_task(write_and_wait())
    await read_until(reader, task.done)
    await task


async def test_who_waits_in_vain_is_told_where_the_view_stands(engine: AsyncEngine, log: PostgresLog) -> None:
    watch = Watch(engine, partitions=PARTITIONS, own="beta")
    await watch.wait_for([VOTE_COUNT], {("other", 0): 5}, 0.0)

    with pytest.raises(Behind) as behind:
        await watch.wait_for([VOTE_COUNT], {PLACE: 7}, 0.05)
    assert (behind.value.status, behind.value.retry_after) == (503, 1)


async def read_up_to_the_partitions_number(engine: AsyncEngine) -> None:
    """Partition p to position p, and complete p * 100 seconds ago."""
    async with driver(engine) as connection:
        await connection.execute(
            "insert into watermark (view, source, partition, position, kafka_offset, caught_up_at)"
            " select 'vote_count', 'beta', p, p, p - 1, now() - make_interval(secs => p * 100)"
            " from generate_series(0, 11) p"
        )


async def lag(engine: AsyncEngine, heads: list[int] | None, ago: float = 0.0) -> tuple[Any, Any, Any]:
    """Events and seconds that are missing, and how long ago the view was complete, by heads of so long ago."""
    async with driver(engine) as connection:
        now = await connection.fetchval("select clock_timestamp()")
        if heads is not None:
            await connection.execute(KEEP, "beta", now - timedelta(seconds=ago), heads, 0.1)
    found = await Watch(engine, partitions=PARTITIONS).freshness(VOTE_COUNT)
    assert found.positions == {"beta": list(range(PARTITIONS))}
    until = found.complete_until
    return found.lag_events, found.lag_seconds, None if until is None else (now - until).total_seconds()


async def test_a_view_of_a_topic_is_measured_to_the_log_and_grows_old_when_nobody_says_how_far_that_is(
    engine: AsyncEngine,
) -> None:
    await read_up_to_the_partitions_number(engine)
    near = partial(pytest.approx, abs=5)

    assert await lag(engine, None) == (None, near(1100), near(1100))
    assert await lag(engine, list(range(PARTITIONS)), 70) == (None, near(70), near(70))
    assert await lag(engine, list(range(PARTITIONS)), 0.5) == (0, 0.0, near(0.5))
    assert await lag(engine, [0, 1, 5, *range(3, PARTITIONS)]) == (3, near(200), near(200))
    assert await lag(engine, [0] * PARTITIONS) == (0, 0.0, near(0))


async def test_a_time_to_come_tells_nothing(engine: AsyncEngine) -> None:
    await read_up_to_the_partitions_number(engine)
    await lag(engine, list(range(PARTITIONS)))
    async with driver(engine) as connection:
        await connection.execute("update log_head set at = at + interval '1 hour'")

    events, _, complete = await lag(engine, None)

    assert (events, complete) == (None, None)


async def test_a_view_that_was_never_read_lacks_everything(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        await connection.execute(KEEP, "beta", await connection.fetchval("select clock_timestamp()"), [2] * 12, 0.1)

    found = await Watch(engine, partitions=PARTITIONS).freshness(VOTE_COUNT)

    assert (found.positions, found.complete_until, found.lag_events) == ({"beta": [0] * 12}, None, 24)
    assert found.lag_seconds >= 0


SEAL = Seal(b"secret")
PLACES = {("content", 3): 1045, ("member", 0): 7}


def opened(*tokens: str) -> dict[tuple[str, int], int]:
    return SEAL.open(tokens, header="Guildhall-After", partitions=12)


def test_positions_are_sealed_and_opened() -> None:
    earlier = SEAL.seal({("content", 3): 9, ("feedback", 11): 1})

    assert opened(SEAL.seal(PLACES)) == PLACES
    assert opened(SEAL.seal(PLACES), earlier) == opened(f"{earlier}, {SEAL.seal(PLACES)}")
    assert opened(SEAL.seal(PLACES), earlier) == {**PLACES, ("feedback", 11): 1}


def test_a_token_tells_nothing_and_never_the_same() -> None:
    tokens = {SEAL.seal(PLACES) for _ in range(100)}

    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {len(SEAL.seal({("content", 4): 2000, ("member", 1): 9}))}


WRONG = {
    "nothing": "",
    "numbers": "content/3/1045",
    "the example": EXAMPLE,
    "no ASCII": "é",
    "padding": "=",
    "short": "AAAA",
    "of another installation": Seal(b"another").seal(PLACES),
    "cut": SEAL.seal(PLACES)[:-4],
    "a comma": SEAL.seal(PLACES) + ",",
    "more": SEAL.seal(PLACES) + "!",
    "a partition that is not there": SEAL.seal({("content", 12): 1}),
    "too many": ",".join(SEAL.seal(PLACES) for _ in range(60)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_a_position_that_was_not_given_out_is_refused_by_the_name_of_its_header(wrong: str) -> None:
    with pytest.raises(BadRequest, match="Guildhall-After"):
        opened(wrong)


def test_what_is_shown_is_sealed() -> None:
    fresh = Freshness(positions={"beta": [1, 2]}, complete_until=NOON, lag_events=0, lag_seconds=0.0).sealed_by(SEAL)

    shown = json.loads(fresh.model_dump_json())

    assert (shown["complete_until"], shown["lag_events"], shown["lag_seconds"]) == ("2026-03-01T12:00:00Z", 0, 0.0)
    assert opened(shown["positions"]) == {("beta", 0): 1, ("beta", 1): 2}
