"""A projection as one writes it by hand: a statement for each change of each event, on the tables of the real one.

Decoding and folding are ours, so that only the writing differs. Sets of members, which ours keeps as bitmaps, are rows
of a plain table here: nobody writes bitmaps by hand, and rows are the faster of the two one at a time.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer

from benchmarks.measuring import until
from shared.events.envelope import from_wire
from shared.kafka.topics import topic_of
from shared.projections.read_model import Add, Change, Put, ReadModel
from shared.settings import Settings

OFFSET = "update watermark set position = $3, kafka_offset = $4 where source = $1 and partition = $2"

Statement = tuple[str, tuple[Any, ...]]


class Plain:
    """Consumes the topics that views read, and writes what their folds say."""

    def __init__(self, settings: Settings, views: Sequence[ReadModel], connection: asyncpg.Connection[Any]) -> None:
        self._settings = settings
        self._views = views
        self._connection = connection
        self._sql: dict[tuple[str, str], str] = {}

    async def prepare(self) -> None:
        """Make what it needs besides the real tables, all of them empty."""
        for view in self._views:
            for table in view.tables:
                await self._connection.execute(f"truncate {table.name}")
                if table.info["include"]:
                    name, key = _member_rows(table), ", ".join(table.info["key"])
                    await self._connection.execute(f"drop table if exists {name}")
                    await self._connection.execute(f"create table {name} as select {key} from {table.name}")
                    await self._connection.execute(
                        f"alter table {name} add member uuid, add primary key ({key}, member)"
                    )

    async def by_event(self, events: int) -> float:
        """Events a second with a transaction for each, the offset within it; stops after that many."""
        written, began = 0, 0.0
        async with self._consumer(group=None) as consumer:
            while written < events:
                for place, records in (await consumer.getmany(timeout_ms=200, max_records=500)).items():
                    began = began or time.perf_counter()
                    for record in records:
                        async with self._connection.transaction():
                            for sql, arguments in self._statements(record.value):
                                await self._connection.execute(sql, *arguments)
                            where = (place.topic.split(".")[1], place.partition, record.offset + 1, record.offset)
                            await self._connection.execute(OFFSET, *where)
                    written += len(records)
        return written / (time.perf_counter() - began)

    async def by_batch(self, events: int, size: int = 500) -> float:
        """Events a second in batches, a transaction for each with one `executemany` a table; offsets go to Kafka."""
        written, began = 0, 0.0
        async with self._consumer(group=f"plain-{time.time_ns()}") as consumer:
            while written < events:
                batch = await consumer.getmany(timeout_ms=200, max_records=size)
                values = [record.value for records in batch.values() for record in records]
                if not values:
                    continue
                began = began or time.perf_counter()
                rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
                for value in values:
                    for sql, arguments in self._statements(value):
                        rows[sql].append(arguments)
                async with self._connection.transaction():
                    for sql, many in rows.items():
                        await self._connection.executemany(sql, many)
                await consumer.commit()
                written += len(values)
        return written / (time.perf_counter() - began)

    @asynccontextmanager
    async def _consumer(self, group: str | None) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(
            *[topic_of(source) for source in sorted({source for view in self._views for source in view.sources})],
            bootstrap_servers=self._settings.kafka,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            await until(lambda: bool(consumer.assignment()))
            yield consumer
        finally:
            await consumer.stop()

    def _statements(self, value: bytes) -> list[Statement]:
        record = from_wire(value)
        return [
            self._statement(change)
            for view in self._views
            if record.type in view.catalogue
            for change in view.fold(view.catalogue.decode(record.type, record.data), record)
        ]

    def _statement(self, change: Change) -> Statement:
        table, kind = change.table, type(change).__name__
        if isinstance(change, Add):
            names, arguments = [*table.info["key"], *change.amounts], (*change.key, *change.amounts.values())
            sets = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in change.amounts)
        elif isinstance(change, Put):
            names = [*table.info["key"], *change.values, "version"]
            arguments = (*change.key, *change.values.values(), change.version)
            columns = [*change.values, "version"]
            sets = ", ".join(f"{name} = excluded.{name}" for name in columns) + " where t.version < excluded.version"
        else:
            names, arguments, sets = [*table.info["key"], "member"], (*change.key, change.member), ""
        sql = self._sql.get((table.name, kind))
        if sql is None:
            sql = self._sql[table.name, kind] = _insert(table, names, sets)
        return sql, arguments


def _member_rows(table: sa.Table) -> str:
    return f"plain_{table.name}"


def _insert(table: sa.Table, names: Sequence[str], sets: str) -> str:
    key = table.info["key"]
    into = f"{table.name} as t" if sets else _member_rows(table)
    conflict = f"({', '.join(key)}) do update set {sets}" if sets else "do nothing"
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    return f"insert into {into} ({', '.join(names)}) values ({values}) on conflict {conflict}"
