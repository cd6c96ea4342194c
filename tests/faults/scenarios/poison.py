"""Goal 13: events that a view cannot take, of six kinds: parked exactly, nobody waits for them, healed by a replay."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import sqlalchemy as sa
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from shared.db import create_engine
from shared.events.envelope import to_wire
from shared.events.event import Event, Recorded
from shared.kafka.topics import ensure_topics, topic_of
from shared.log.port import partition_of
from shared.projections.parked import dismiss, replay
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import read_model_table
from shared.projections.rebuild import rebuild
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.tables import service_metadata
from tests.databases import fresh_database
from tests.faults.stage import Stage
from tests.shared.sources import positions
from tests.stack import Stack

SERVICE = "poison"
PARTITIONS = 6
STREAMS = 1_000
RATE = 1_000
BAD = 0.01
DELAY = 1.0
COMMUNITY = UUID("00000000-0000-5000-8000-00000000bad0")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)

METADATA = service_metadata(facts=False)
TALLY = read_model_table(
    "tally",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("item", sa.Uuid)],
    put=[sa.Column("word", sa.Text)],
    add=["n", "amount"],
)
SAID = read_model_table(
    "said",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("item", sa.Uuid), sa.Column("word", sa.Text)],
    add=["n"],
)


class Counted(Event, frozen=True, tag="guildhall.poison.counted.v1"):
    amount: int
    word: str


class MendedCounted(Event, frozen=True, tag="guildhall.poison.counted.v1"):
    """The class as it should have been: old writers wrote a number as text."""

    amount: int | str
    word: str


def fold(event: Counted, record: Recorded) -> Iterator[Change]:
    if event.word == "raises":
        raise ValueError("This word cannot be folded.")
    if event.word == "nonsense":
        yield "no change at all"  # type: ignore[misc]
    yield add(TALLY, (record.community, record.stream), n=1, amount=event.amount)
    yield put(TALLY, (record.community, record.stream), record.version, word=event.word)
    yield add(SAID, (record.community, record.stream, event.word), n=1)


def mended(event: MendedCounted, record: Recorded) -> Iterator[Change]:
    amount, word = min(int(event.amount), 1_000), event.word.replace("\0", "")
    yield add(TALLY, (record.community, record.stream), n=1, amount=amount)
    yield put(TALLY, (record.community, record.stream), record.version, word=word)
    yield add(SAID, (record.community, record.stream, word), n=1)


BROKEN, MENDED = ReadModel("tally", (TALLY, SAID), fold), ReadModel("tally", (TALLY, SAID), mended)
BADS: tuple[dict[str, object], ...] = (
    {"amount": 1, "word": "raises"},
    {"amount": 1, "word": "nonsense"},
    {"amount": 2**63, "word": "too large for the store"},
    {"amount": 1, "word": "not \0 for the store"},
    {"amount": "7", "word": "of another type"},
)
"""Five kinds; the sixth is a record on the topic that is no event at all."""


@dataclass
class Poisoned:
    events: int = 0
    bad: int = 0
    strays: int = 0
    wanted: int = 0
    parked: int = 0
    notes: int = 0
    delay: float = 0.0
    healed: int = 0
    kept: int = 0
    equal: bool = False
    noted_again: int = 0


async def run(stage: Stage) -> None:
    count = stage.choose(10_000, 50_000)
    found = await poisoned(stage.stack(), count, stage.seed)
    scale = f"{found.events:,} of 50,000 events, {found.bad + found.strays} bad of six kinds"
    measured = f"{found.parked} of {found.wanted} parked, {found.notes} of {found.strays} noted"
    exact = (found.parked, found.notes) == (found.wanted, found.strays)
    stage.figure(13, "parked: bad ones and their followers", measured, "exact", holds=exact, scale=scale)
    measured, required = f"{found.delay:.2f} s", f"≤ {DELAY:.0f} s at {RATE:,} events/s"
    stage.figure(13, "delay of the other streams", measured, required, holds=found.delay <= DELAY, scale=scale)
    measured = f"{found.healed} folded, {found.kept} kept, {'equal' if found.equal else 'different'}"
    holds = found.equal and (found.healed, found.kept) == (found.wanted, 0)
    stage.figure(13, "mended and replayed, against a clean run", measured, "equal", holds=holds, scale=scale)


async def poisoned(stack: Stack, count: int, seed: int, rate: int = RATE) -> Poisoned:
    found, rng = Poisoned(events=count), random.Random(seed)
    async with topic(stack) as settings:
        engine = create_engine(settings, SERVICE, connections=10)
        store = PostgresReadModelStore(engine)
        reader = ProjectionRunner([BROKEN], [KafkaSource(settings, SERVICE)], store)
        reading = asyncio.create_task(reader.run())
        try:
            last = await _publish(settings, found, count, rng, rate, reader)
            until = time.monotonic() + 30
            while positions(reader, SERVICE) != last:
                assert time.monotonic() < until, f"{positions(reader, SERVICE)} instead of {last}"
                await asyncio.sleep(0.05)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        parked = await store.parked("tally", limit=1_000_000)
        notes = [each for each in parked if each.stream is None]
        found.parked, found.notes = len(parked) - len(notes), len(notes)
        for note in notes:
            await dismiss(store, "tally", SERVICE, note.partition, note.position)
        done = await replay(store, MENDED)
        found.healed, found.kept = done.folded, done.kept
        report = await rebuild(MENDED, engine, lambda: [KafkaSource(settings, SERVICE)], take_over=False)
        found.equal, found.noted_again = report.equal, report.parked
        await store.close()
        await engine.dispose()
    return found


@asynccontextmanager
async def topic(stack: Stack) -> AsyncIterator[Settings]:
    """A database and an empty topic."""
    async with fresh_database(stack, METADATA, partitions=PARTITIONS) as settings:
        await ensure_topics(settings, [SERVICE])
        try:
            yield settings
        finally:
            admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
            await admin.start()
            await admin.delete_topics([topic_of(SERVICE)])
            await admin.close()


async def _publish(
    settings: Settings, found: Poisoned, count: int, rng: random.Random, rate: int, reader: ProjectionRunner
) -> Sequence[int]:
    """Put the events on the topic at that rate, and look how long each waits for its turn; the last positions."""
    heads, versions = [0] * PARTITIONS, dict[int, int]()
    spoiled: set[int] = set()
    waiting: list[tuple[float, list[int]]] = []
    step = rate // 20
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", linger_ms=5) as producer:
        began = time.monotonic()
        for start in range(0, count, step):
            sent = []
            for _ in range(start, min(start + step, count)):
                number = rng.randrange(STREAMS)
                bad = rng.random() < BAD
                if bad and rng.random() < 1 / 6:
                    found.strays += 1
                    bad = False
                    partition = rng.randrange(PARTITIONS)
                    sent.append(await producer.send(topic_of(SERVICE), b"\xff stray", partition=partition))
                spoiled |= {number} if bad else set()
                found.bad += bad
                found.wanted += number in spoiled
                record = _record(number, versions, heads, rng.choice(BADS) if bad else {"amount": 2, "word": "fine"})
                sent.append(await producer.send(topic_of(SERVICE), to_wire(record), partition=record.partition))
            await asyncio.gather(*sent)
            waiting.append((time.monotonic(), list(heads)))
            while waiting and all(map(int.__ge__, positions(reader, SERVICE) or [0] * PARTITIONS, waiting[0][1])):
                waiting.pop(0)
            if waiting:
                found.delay = max(found.delay, time.monotonic() - waiting[0][0])
            await asyncio.sleep(max(0.0, began + (start + step) / rate - time.monotonic()))
    return heads


def _record(number: int, versions: dict[int, int], heads: list[int], data: dict[str, object]) -> Recorded:
    stream = UUID(int=number + 1)
    partition = partition_of(stream, PARTITIONS)
    heads[partition] += 1
    versions[number] = versions.get(number, 0) + 1
    kind = "guildhall.poison.counted.v1"
    id_ = UUID(int=(1 << 64) + (partition << 32) + heads[partition])
    return Recorded(
        SERVICE, partition, heads[partition], stream, versions[number], kind, id_, COMMUNITY, None, AT,
        datetime.now(UTC), None, msgspec.json.encode(data),
    )  # fmt: skip
