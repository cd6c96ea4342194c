"""Every answer can say how far its views are, in the process that moves them and in any other."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.errors import BadRequest, Behind
from shared.event import encode_data, wire_name
from shared.log.port import Append, NewEvent, Write, partition_of
from shared.log.postgres import PostgresLog
from shared.positions import EXAMPLE, Seal
from shared.settings import Settings
from shared.stream.log_source import LogSource
from shared.stream.topic_ends import Ends, TopicEnds
from shared.stream.topics import ensure_topics, topic_of
from shared.views.freshness import Freshness, Watch
from shared.views.progress import Progress
from shared.views.reader import Reader
from shared.views.store_postgres import PostgresViewStore
from tests.conftest import FreshDatabase
from tests.shared.board import METADATA, NOON, VOTE_COUNT, Voted, community, item, member
from tests.shared.sources import read_until

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
async def store(engine: AsyncEngine) -> AsyncIterator[PostgresViewStore]:
    store = PostgresViewStore(engine)
    yield store
    await store.close()


async def vote(log: PostgresLog, times: int = 1) -> None:
    before = len(await log.load(STREAM))
    vote = Voted(item(1), member(1), 1)
    events = tuple(NewEvent(uuid4(), wire_name(Voted), encode_data(vote)) for _ in range(times))
    await log.append(Append(community(), None, NOON, None, (Write(STREAM, before, events),)))


def one_partition(position: int) -> list[int]:
    return [position if partition == PLACE[1] else 0 for partition in range(PARTITIONS)]


class Told(TopicEnds):
    """Ends that the test says."""

    def __init__(self, settings: Settings, ends: Ends | None) -> None:
        super().__init__(settings, ["beta"])
        self.told = ends

    async def ends(self) -> Ends | None:
        return self.told


async def test_a_view_of_the_own_log_is_measured_exactly(
    engine: AsyncEngine, log: PostgresLog, store: PostgresViewStore
) -> None:
    watch = Watch(engine, partitions=PARTITIONS, own="beta")
    await vote(log, 3)
    await asyncio.sleep(0.05)
    unread = await watch.freshness(VOTE_COUNT)
    reader = Reader([VOTE_COUNT], [LogSource(log)], store)

    await read_until(reader, lambda: "beta" in reader.caught_up_at)

    assert (unread.positions, unread.lag_events) == ({"beta": one_partition(0)}, 3)
    assert 0.05 <= unread.lag_seconds < 5
    fresh = Freshness(positions={"beta": one_partition(3)}, lag_events=0, lag_seconds=0.0)
    assert await watch.freshness(VOTE_COUNT) == fresh


async def test_who_waits_for_a_position_is_answered_when_the_view_is_there(
    engine: AsyncEngine, log: PostgresLog, store: PostgresViewStore
) -> None:
    progress = Progress()
    here, elsewhere = (Watch(engine, partitions=PARTITIONS, own="beta", progress=p) for p in (progress, None))
    reader = Reader([VOTE_COUNT], [LogSource(log)], store, progress=progress)

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


async def test_a_view_of_a_topic_is_measured_against_its_end_and_grows_old_when_that_is_not_known(
    engine: AsyncEngine, settings: Settings
) -> None:
    async with driver(engine) as connection:
        await connection.execute(
            "insert into watermark (view, source, partition, position, kafka_offset, caught_up_at)"
            " select 'vote_count', 'beta', p, p, p - 1, now() - make_interval(secs => p * 100)"
            " from generate_series(0, 11) p"
        )
    now = time.monotonic()

    async def lag(ends: Ends | None) -> tuple[object, object]:
        found = await Watch(engine, partitions=PARTITIONS, ends=Told(settings, ends)).freshness(VOTE_COUNT)
        assert found.positions == {"beta": list(range(PARTITIONS))}
        return found.lag_events, found.lag_seconds

    assert await lag(Ends({"beta": list(range(PARTITIONS))}, now)) == (0, 0.0)
    assert await lag(Ends({"beta": [0, 1, 5, *range(3, PARTITIONS)]}, now)) == (3, pytest.approx(200, abs=5))
    assert await lag(Ends({"beta": list(range(PARTITIONS))}, now - 70)) == (0, pytest.approx(70, abs=5))
    assert await lag(None) == (None, pytest.approx(1100, abs=5))


async def test_a_view_that_was_never_read_lacks_everything(engine: AsyncEngine, settings: Settings) -> None:
    watch = Watch(engine, partitions=PARTITIONS, ends=Told(settings, Ends({"beta": [2] * 12}, time.monotonic())))

    found = await watch.freshness(VOTE_COUNT)

    assert (found.positions, found.lag_events) == ({"beta": [0] * 12}, 24)
    assert found.lag_seconds >= 0


async def test_the_ends_of_topics_come_from_the_broker(settings: Settings) -> None:
    service = f"t{uuid4().hex}"
    await ensure_topics(settings, [service])
    ends = TopicEnds(settings, [service])
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()

    async def known() -> list[int]:
        async with asyncio.timeout(10):
            while (found := await ends.ends()) is None:
                await asyncio.sleep(0.05)
        return list(found.offsets[service])

    empty = await known()
    for partition, count in ((0, 2), (11, 1)):
        for _ in range(count):
            await producer.send_and_wait(topic_of(service), b"x", partition=partition)
    await asyncio.sleep(0.6)
    filled = await known()
    await producer.stop()
    await ends.close()

    assert empty == [0] * 12
    assert filled == [2, *[0] * 10, 1]


async def test_a_broker_that_is_away_holds_no_request_up(settings: Settings) -> None:
    ends = TopicEnds(settings.model_copy(update={"kafka": "127.0.0.1:1"}), ["beta"])

    began = time.monotonic()
    found = [await ends.ends() for _ in range(5)]
    took = time.monotonic() - began
    await ends.close()

    assert found == [None] * 5
    assert took < 2


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
    fresh = Freshness(positions={"beta": [1, 2]}, lag_events=0, lag_seconds=0.0).sealed_by(SEAL)

    shown = json.loads(fresh.model_dump_json())

    assert (shown["lag_events"], shown["lag_seconds"]) == (0, 0.0)
    assert opened(shown["positions"]) == {("beta", 0): 1, ("beta", 1): 2}
