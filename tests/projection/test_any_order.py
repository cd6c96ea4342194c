"""Whatever order partitions and services arrive in, however often and in whatever batches: the same read models."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any
from uuid import UUID, uuid5

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback.events import SuggestionAnswered, SuggestionCompleted, SuggestionSubmitted
from services.member.events import (
    CommunityDescribed,
    CommunityFounded,
    MemberJoined,
    MemberRemoved,
    RobotMarked,
    RoleGranted,
)
from services.projection.app import SERVICE
from shared.events.event import Event, Recorded, Text
from shared.projections.runner import ProjectionRunner
from shared.subscription.source import Mark, Message
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.projection.histories import COMMUNITY
from tests.projection.life import PEOPLE, Life
from tests.projection.records import NOON, recorded

PARTITIONS = 3
IDEA = PEOPLE[0]
ROBOT = uuid5(COMMUNITY, "robot")
TABLES = [table for view in SERVICE.topic_read_models for table in view.tables]
NAMES = [view.name for view in SERVICE.topic_read_models]


def story(seed: int) -> dict[str, list[Recorded]]:
    """A life, with a community, members and a suggestion whose streams have more than one event; by service."""
    records = Life(seed).goes_on(90)
    streams: dict[UUID, list[Event]] = {
        COMMUNITY: [
            CommunityFounded("guild", "Guild", "", "fr", "UTC", "public", "open", PEOPLE[0]),
            RoleGranted(PEOPLE[0], "owner"),
            CommunityDescribed("Hall", "", "fr", "Asia/Tokyo", "public", "open"),
        ],
        ROBOT: [MemberJoined(ROBOT, "open", 1), RobotMarked(ROBOT), MemberRemoved(ROBOT, None, None)],
        IDEA: [
            SuggestionSubmitted(IDEA, None, True, None),
            SuggestionAnswered(IDEA, None, Text(IDEA, 5)),
            SuggestionAnswered(IDEA, None, Text(IDEA, 6)),
            SuggestionCompleted(IDEA, None, None),
        ],
    }
    for stream, events in streams.items():
        records += [
            recorded(event, NOON.replace(minute=version), stream=stream, version=version)
            for version, event in enumerate(events, start=1)
        ]
    positions: defaultdict[tuple[str, int], int] = defaultdict(int)
    placed: defaultdict[str, list[Recorded]] = defaultdict(list)
    for record in records:
        where = (record.service, record.stream.int % PARTITIONS)
        positions[where] += 1
        placed[record.service].append(msgspec.structs.replace(record, partition=where[1], position=positions[where]))
    return placed


class Scripted:
    """A source that hands records out in an order of the die's: of each partition in order, some of them again."""

    partitions = PARTITIONS

    def __init__(self, service: str, records: Sequence[Recorded], die: Random) -> None:
        self.service = service
        self._by_partition = [[r for r in records if r.partition == p] for p in range(PARTITIONS)]
        self._next = [0] * PARTITIONS
        self._die = die
        self.done = asyncio.Event()

    async def start(self, after: Mapping[int, Mark]) -> None:
        self._next = [after[p].position for p in range(PARTITIONS)]

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        left = [p for p in range(PARTITIONS) if self._next[p] < len(self._by_partition[p])]
        if not left:
            self.done.set()
            await asyncio.sleep(wait)
            return []
        messages = []
        for _ in range(self._die.randint(1, limit)):
            partition = self._die.choice(left)
            if self._die.random() < 0.2:
                self._next[partition] = self._die.randint(0, self._next[partition])
            if self._next[partition] < len(self._by_partition[partition]):
                record = self._by_partition[partition][self._next[partition]]
                messages.append(Message(partition, None, None, record))
                self._next[partition] += 1
        return messages

    async def seek(self, partition: int, mark: Mark) -> None:
        self._next[partition] = mark.position

    def heads(self) -> list[int]:
        return [len(records) for records in self._by_partition]

    async def close(self) -> None:
        pass


async def read_models(records: Mapping[str, Sequence[Recorded]], die: Random, limit: int) -> dict[str, Any]:
    services = sorted({source for view in SERVICE.topic_read_models for source in view.sources})
    sources = [Scripted(service, records.get(service, []), die) for service in services]
    store = MemoryReadModelStore()
    running = asyncio.create_task(ProjectionRunner(SERVICE.topic_read_models, sources, store, limit=limit).run())
    for source in sources:
        await source.done.wait()
        marks = await store.watermarks(NAMES, source.service, range(PARTITIONS))
        heads = source.heads()
        for (view, partition), mark in marks.items():
            subscribed = next(v for v in SERVICE.topic_read_models if v.name == view).sources
            assert source.service not in subscribed or mark.position == heads[partition]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not await store.parked()
    return {table.name: await rows_of(store, table) for table in TABLES}


@cache
def read_in_order(seed: int) -> dict[str, Any]:
    return asyncio.run(read_models(story(seed), Random(0), 1_000))


@given(st.integers(0, 2), st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_read_models_do_not_depend_on_the_order_of_arrival(seed: int, order: int, limit: int) -> None:
    records, in_order = story(seed), read_in_order(seed)
    assert asyncio.run(read_models(records, Random(order), limit)) == in_order
    assert all(in_order.values()), [name for name, rows in in_order.items() if not rows]
