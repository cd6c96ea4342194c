"""One world: a database of facts and one of read models, a broker, two instances of each process, clients, and faults.

First everything fails as the seed says; then faults stop, and everything must come to the same end in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from pydantic import SecretStr

from shared.kafka.heads import HeadsWire
from shared.kafka.topics import BROKER_AWAY, TopicProblem, ensure_topics, topic_of
from shared.lease import Lease
from shared.projections.runner import ProjectionRunner
from shared.projections.store_postgres import PostgresReadModelStore
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from tests.doubles.rows import rows_of
from tests.doubles.view_store import MemoryReadModelStore
from tests.simulation import kafka
from tests.simulation.broker import Broker
from tests.simulation.claim_statements import claim_statements
from tests.simulation.claims import Claims
from tests.simulation.clients import Client
from tests.simulation.command_statements import command_statements
from tests.simulation.domain import BOOKS, COUNT, FACT, PARTITIONS, SERVICE, STREAM, TALLY, THANK
from tests.simulation.driver import Engine
from tests.simulation.faults import Faults
from tests.simulation.forger import Forger
from tests.simulation.going_back import Backups, operate
from tests.simulation.harm import Harm
from tests.simulation.loop import OUTSIDE, Loop, Process
from tests.simulation.oracle import Oracle, Violation, not_due
from tests.simulation.postgres import Database
from tests.simulation.processes import Instance, current, run_projection, run_service
from tests.simulation.recover_statements import recover_statements
from tests.simulation.statements import LogIndex, finder, lease_statements, log_statements, relay_statements
from tests.simulation.view_statements import (
    heads_statements,
    ordinal_statements,
    parked_statements,
    watermark_statements,
)
from tests.simulation.view_tables import Tables

CONVERGE = 60.0
"""Virtual seconds after the last fault within which everything must agree."""
OVERLAP = 16.0
"""Seconds for which two may believe that they lead: a lease and one renewal that is not answered."""
TOLD = 8.0
"""Seconds in which a leader lets go of everything once it was told that its lease has passed to another."""
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    def __init__(self, seed: int, loop: Loop, tell: Callable[[str], None] | None = None) -> None:
        self.loop = loop
        self.random = Random(seed)
        self.faults = Faults(Random(seed + 1))
        self.forger = Forger(self, f"forger of {seed}")
        self.thinking = self.random.choice([0.2, 0.5, 1.0])
        self.unlucky = self.random.choice([0.0, 0.0, 0.05])
        self.grouped = self.random.random() < 0.5
        self.duration = self.random.uniform(8, 20)
        self.tells_heads = self.random.random() < 0.35
        # What an answer may claim of a log that has gone back is no question for those who ask all the time.
        self.may_go_back = not self.tells_heads and self.random.random() < 0.45
        if self.may_go_back:  # to have something to lose, and to go on after it
            self.duration += 15
        self.settings = Settings(partitions=PARTITIONS, kafka="simulated", record_secret=SecretStr("simulated"))
        self.busy = self.patient = True
        self.processes: list[Process] = []
        """All that there ever were."""
        self.leading: dict[tuple[Process, str], Lease] = {}
        self.on_the_way: dict[asyncio.Future[Any], Process | None] = {}
        """Requests that have not been carried out, with who is at it; one that is late may come when nobody waits."""
        self.jumped = timedelta(0)
        self.last: deque[str] = deque(maxlen=60)
        self.failed: asyncio.Future[None] = loop.create_future()
        self._hash = hashlib.blake2b(digest_size=12)
        self._tell = tell
        known = [lease_statements(), watermark_statements(), parked_statements(), ordinal_statements()]
        known.append(heads_statements())
        tables = Tables([FACT, STREAM, TALLY])
        self.ledger = Database(SERVICE, self.faults, self.now, lambda sql: find(sql))
        self.projection = Database("projection", self.faults, self.now, finder(*known, also=tables))
        self.index = LogIndex(self.ledger, PARTITIONS)
        known += [log_statements(self.index), relay_statements(self.index), recover_statements(self.index)]
        known += [command_statements(), claim_statements()]
        find = finder(*known, also=tables)
        self.backups = Backups(self.ledger, self.projection)
        self.broker = kafka.Client.broker = Broker(self.faults, PARTITIONS)
        self.oracle = Oracle(self.index, self.ledger, self.projection, self.broker)
        self.claims = Claims(self.ledger, self.broker, HeadsWire(self.settings, SERVICE), self.clock_time)
        self.broker.appended.append(self._trace_append)
        for database in (self.ledger, self.projection):
            database.committed.append(self._trace_commit)
            database.not_renewed.append(self._not_renewed)
        self.services = [Instance(self, f"service {n}", run_service) for n in (1, 2)]
        self.projections = [Instance(self, f"projection {n}", run_projection) for n in (1, 2)]
        self.operators = [Instance(self, "operator", operate)] if self.may_go_back else []

    # Time, trace, violations

    def now(self) -> datetime:
        """The database server's wall clock."""
        return EPOCH + timedelta(seconds=self.loop.now) + self.jumped

    def clock_time(self, at: datetime | None = None) -> float:
        """The loop's time at which the servers' clock says this, or its own now."""
        return self.loop.now if at is None else (at - self.jumped - EPOCH).total_seconds()

    def jump(self, seconds: float) -> None:
        """The databases' clock is set."""
        self.jumped += timedelta(seconds=seconds)
        self.claims.clock_set(seconds)

    def later(self, delay: float, call: Callable[..., Any], *arguments: Any) -> None:
        self.loop.call_later(delay, call, *arguments, context=OUTSIDE)

    def trace(self, *words: object) -> None:
        line = f"{self.loop.now - 1000:9.4f}  {' '.join(map(str, words))}"
        self._hash.update(line.encode())
        self.last.append(line)
        if self._tell is not None:
            self._tell(line)

    @property
    def digest(self) -> str:
        """Of the whole trace so far."""
        return self._hash.hexdigest()

    def _trace_append(self, name: str, partition: int, records: list[Any]) -> None:
        self.trace("topic", f"{partition}: {len(records)} records at offset {records[0].offset}")

    def _trace_commit(self, database: Database, transaction: Any) -> None:
        self.trace("commit", database.name, ", ".join(_short(*each) for each in transaction.writes.items()))

    def over(self) -> None:
        """Nothing counts any more, and no server answers."""
        self.faults.on = False
        self.loop.set_exception_handler(lambda *_: None)
        self.trace = lambda *_: None  # type: ignore[method-assign]
        self.broker.over = self.ledger.over = self.projection.over = True

    def violated(self, violation: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(violation)

    @contextmanager
    def leads(self, lease: Lease) -> Iterator[None]:
        """This process does what only one may do."""
        process = current()
        self.leading[process, lease.name] = lease
        try:
            yield
        finally:
            self.leading.pop((process, lease.name), None)

    def _not_renewed(self, *lease: Any) -> None:
        """A process has heard that it did not renew this lease, since another has it."""
        self.later(TOLD, self._lets_go, current(), Lease(*lease))

    def _lets_go(self, process: Process, lease: Lease) -> None:
        if process.paused:
            self.later(TOLD, self._lets_go, process, lease)
        elif process.alive and self.leading.get((process, lease.name)) == lease:
            self.violated(Violation(f"lease not given up: {process.name} leads {lease.name}, which has passed on"))

    # The course of things

    async def run(self) -> None:
        await self.make_topic()
        for instance in (*self.services, *self.projections, *self.operators):
            instance.start()
        clients = [asyncio.create_task(Client(self, n).run()) for n in range(3)]
        clients.append(asyncio.create_task(Client(self, 3).read()))
        harm = Harm(self)
        harming = asyncio.create_task(harm.run())
        forging = asyncio.create_task(self.forger.run())
        watch = asyncio.gather(self._watch(), self.backups.run())
        await self._or_failed(asyncio.sleep(self.duration))
        harming.cancel()
        forging.cancel()
        if forging.done():
            forging.result()  # it ends by itself only where it does not forge, or has failed
        await self._or_failed(harm.last())
        await self._heal()
        await self._or_failed(self._converge_and_check(clients))
        watch.cancel()

    async def _or_failed(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        await asyncio.wait([task, self.failed], return_when=asyncio.FIRST_COMPLETED)
        if self.failed.done():
            self.failed.result()
        task.result()

    async def make_topic(self) -> None:
        while True:
            with contextlib.suppress(TopicProblem, *BROKER_AWAY):
                await ensure_topics(self.settings, [SERVICE])
                return
            await asyncio.sleep(0.5)

    async def _watch(self) -> None:
        """Nobody leads beside another for longer than it takes to notice."""
        since: dict[str, float] = {}
        while True:
            await asyncio.sleep(1)
            for lease in ("views", "reactions"):
                leaders = [p.name for (p, name) in self.leading if name == lease and p.alive and not p.paused]
                if len(leaders) < 2:
                    since.pop(lease, None)
                elif self.loop.now - since.setdefault(lease, self.loop.now) > OVERLAP:
                    self.violated(Violation(f"two leaders: {leaders} both lead {lease}"))

    async def _heal(self) -> None:
        self.faults.on = self.busy = False
        self.trace("faults stop")
        self.broker.away = self.ledger.away = self.projection.away = False
        for instance in (*self.services, *self.projections):
            if instance.process is not None and instance.process.paused:
                instance.process.go_on(self.loop)
        await self.make_topic()

    # Converging

    async def _converge(self, clients: list[asyncio.Task[None]]) -> None:
        began = self.loop.now
        while True:
            waits = self._waits(clients)
            if waits is None:
                for client in clients:
                    client.result()
                return
            if self.loop.now - began > CONVERGE:
                raise Violation(f"not converged within {CONVERGE:.0f} seconds: {waits}")
            await asyncio.sleep(0.25)

    def _waits(self, clients: list[asyncio.Task[None]]) -> str | None:
        """What is not yet as it should be; None when all is."""
        for client in clients:
            if client.done() and client.exception() is not None:
                client.result()
            if not client.done():
                return "a client still waits for an answer"
        if any(process is None or process.alive for process in self.on_the_way.values()):
            return "a request is still on its way"
        heads = dict(self.ledger.table("log_partition"))
        topic = self.broker.topics.get(topic_of(SERVICE))
        if topic is None:
            return "the topic is missing"
        for partition, head in heads.items():
            found = {
                kafka.position(record.value) for record in self.oracle.genuine(partition, topic.partitions[partition])
            }
            if not found.issuperset(range(1, head + 1)):
                return f"topic partition {partition} lacks positions of {head}"
        if self.tells_heads and self.claims.fresh_since < self.loop.now - 1.0:
            return "no answer says that nothing is missing"
        if (different := self.oracle.differs()) is not None:
            return f"log and topic: {different}"
        living = [row for row in self.ledger.table("outgoing_command").values() if row["dead_at"] is None]
        if len(living) != len(not_due(self.ledger)):
            return f"{len(living)} commands wait"
        for database, views in ((self.ledger, (BOOKS, THANK)), (self.projection, (BOOKS, COUNT))):
            for view in views:
                for partition, head in heads.items():
                    mark = database.table("watermark").get((view.name, SERVICE, partition))
                    if head and (mark is None or mark[0] != head):
                        return f"{view.name} in {database.name} has read {mark and mark[0]} of {head} in {partition}"
        return None

    async def _converge_and_check(self, clients: list[asyncio.Task[None]]) -> None:
        """Look at what all came to, once more where a request that was long under way has come meanwhile."""
        log = self.ledger.table("log_partition")
        heads: dict[int, int] = {}
        while heads != log:
            await self._converge(clients)
            heads = dict(log)
            compared = await self._live_and_rebuilt()
        oracle = self.oracle
        oracle.check_log()
        oracle.check_topic(topic_of(SERVICE))
        oracle.check_commands(self.ledger)
        for database in (self.projection, self.ledger):
            oracle.check_parked(database)
        for what, live, rebuilt in compared:
            oracle.check_rows(what, live, rebuilt)

    async def _live_and_rebuilt(self) -> list[tuple[str, Any, Any]]:
        """Each table's name, its rows, and its rows as they are built from the topic's beginning."""
        rebuilt = (await self._rebuild()).tables
        found = []
        for database, tables in ((self.ledger, (FACT, STREAM)), (self.projection, (FACT, STREAM, TALLY))):
            store = PostgresReadModelStore(Engine(database))  # type: ignore[arg-type]
            for table in tables:
                rows = rebuilt.get(table.name, {})
                live = await rows_of(store, table)
                found.append((f"{database.name}.{table.name}", live, [rows[key] for key in sorted(rows)]))
        return found

    async def _rebuild(self) -> MemoryReadModelStore:
        """The projection's views from the topic's beginning, in the store that all others are held to."""
        store = MemoryReadModelStore(clock=self.now)
        source = KafkaSource(self.settings, SERVICE)
        reading = asyncio.create_task(ProjectionRunner([BOOKS, COUNT], [source], store).run())
        heads = self.ledger.table("log_partition")
        for _ in range(600):
            marks = store.marks
            if all(
                marks.get((v, SERVICE, p), _NOTHING).position == h for v in ("books", "count") for p, h in heads.items()
            ):
                break
            await asyncio.sleep(0.1)
        else:
            raise Violation("a rebuild does not come to the topic's end")
        reading.cancel()
        await asyncio.wait([reading])
        return store


class _Nothing:
    position = -1


_NOTHING: Any = _Nothing()


def _short(place: Any, row: Any) -> str:
    table, key = place
    if table == "log":
        return f"log {key[0]}/{key[1]}"
    if table == "watermark":
        return f"mark {key[0]}/{key[2]}={row[0]}"
    if table == "log_partition":
        return ""
    if table in ("lease", "relay_checkpoint"):
        return f"{table} {key}={row if isinstance(row, int) else row[0]}"
    return str(table)
