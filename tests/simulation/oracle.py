"""What must hold: at every commit, at every batch a topic takes, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events.envelope import from_wire
from shared.events.identity import derived_id
from shared.kafka.topics import topic_of
from tests.simulation.broker import Broker, Record
from tests.simulation.domain import (
    CATALOGUE,
    COMMUNITY,
    FACT_TABLES,
    LATER,
    PARTITIONS,
    SERVICE,
    UNLUCKY,
    Deposited,
    LedgerEvent,
    Noted,
    Thanked,
    thanked_later,
    thankless,
    thanks_for,
)
from tests.simulation.going_back import Past
from tests.simulation.postgres import Database, Transaction
from tests.simulation.rows import Row
from tests.simulation.statements import LogIndex


class Violation(Exception):
    """A property that must hold does not; the first words name it."""


class Oracle:
    """Watches one world. `acknowledged` and `attempted` are the clients' own record, of facts; with those that were
    acknowledged, how often the log had gone back when they were asked for.

    `forged` are the partitions and bytes of records that somebody else wrote: nothing may come of them.
    """

    def __init__(self, index: LogIndex, ledger: Database, projection: Database, broker: Broker) -> None:
        self.acknowledged: dict[UUID, int] = {}
        self.attempted: set[UUID] = set()
        self.forged: set[tuple[int, bytes]] = set()
        self.past = Past()
        self._index = index
        self._ledger, self._projection = ledger, projection
        self._broker = broker
        self._facts: dict[tuple[int, int], UUID] = {}
        self._sent = [0] * PARTITIONS
        """By partition, the last position that any topic has taken."""
        self._known: set[UUID] = set()
        self._marks: dict[tuple[str, str, str, int], int] = {}
        self._latest = ledger.clock()
        """The latest time that its clock has shown."""
        self._due: dict[UUID, datetime] = {}
        """When the thanks for a note are due that wait for their time."""
        ledger.before_commit.append(self._see_lease)
        ledger.committed += [self._see_log, self._see_views]
        projection.committed.append(self._see_views)
        ledger.went_back += [self._see_log_back, self._see_views_back]
        projection.went_back.append(self._see_views_back)
        broker.appended.append(self._see_topic)

    # At every commit

    def _see_log(self, database: Database, transaction: Transaction) -> None:
        """Positions 1..n at every moment, versions 1..n in the order of positions, each fact once."""
        touched = {key[0] for (table, key) in transaction.writes if table == "log"}
        touched |= {key for (table, key) in transaction.writes if table == "log_partition"}
        for partition in touched:
            positions = self._index.positions[partition]
            head = database.tables["log_partition"][partition]
            if len(positions) != head or (positions and positions[-1] != head):
                missing = sorted(set(range(1, head + 1)) - set(positions))
                raise Violation(f"gap in the log: partition {partition} is at {head} without positions {missing}")
        if touched and ("agreed", None) in transaction.writes:
            self.past.upheavals += 1
        for table, key in transaction.writes:
            if table == "log" and key in self._facts:
                self._known.discard(self._facts.pop(key))
        self._latest = max(self._latest, database.clock())
        for (table, key), row in transaction.writes.items():
            if table == "log" and row is not None:
                self._see_time(row)
                versions = [version for version, _ in self._index.streams[row["stream"]]]
                if versions != list(range(1, len(versions) + 1)):
                    raise Violation(f"stream out of order: {row['stream']} has versions {versions}")
                fact = _fact(row)
                if fact in self._known:
                    raise Violation(f"double fact in the log: {fact} at {key}")
                self._known.add(fact)
                self._facts[key] = fact
                if wrong := self.past.written(key, row):
                    raise Violation(wrong)

    def _see_time(self, row: Row) -> None:
        """No timer is early."""
        event = CATALOGUE.decode(row["type"], row["data"])
        if isinstance(event, Noted) and thanked_later(event.fact):
            self._due[row["id"]] = row["recorded_at"] + LATER
        if isinstance(event, Thanked) and self._due.get(row["causation"], self._latest) > self._latest:
            raise Violation(f"timer before its time: thanks for {row['causation']}")

    def _see_log_back(self, database: Database) -> None:
        before = set(self._facts.values())
        log = database.table("log").items()
        self._facts = {key: _fact(row) for key, row in log}
        self._known = set(self._facts.values())
        self.past.went_back(before - self._known)

    def _see_views_back(self, database: Database) -> None:
        self._marks = {key: position for key, position in self._marks.items() if key[0] != database.name}
        for key, row in database.table("watermark").items():
            self._marks[database.name, *key] = row[0]

    def _see_views(self, database: Database, transaction: Transaction) -> None:
        """Whatever a mark has passed is folded once or parked once; nothing is counted twice; marks never go back."""
        for (table, key), row in transaction.writes.items():
            if table in ("fact", "tally") and row is not None and row["n"] > 1:
                raise Violation(f"double effect in a view: fact {key[1]} is counted {row['n']} times in {table}")
        for (table, key), row in transaction.writes.items():
            if table != "watermark" or key[0] not in FACT_TABLES:
                continue
            view, _, partition = key
            before = self._marks.get((database.name, *key), 0)
            if row[0] == 0 and ("agreed", None) in transaction.writes:  # `recover` has emptied the view
                before = 0
            if row[0] < before:
                raise Violation(f"mark went back: {database.name}/{key} from {before} to {row[0]}")
            for position in range(before + 1, row[0] + 1):
                self._is_folded(database, view, partition, position)
            self._marks[database.name, *key] = row[0]

    def _is_folded(self, database: Database, view: str, partition: int, position: int) -> None:
        fact = self._read_as(database, (partition, position))
        if fact is None:
            raise Violation(f"phantom: {view} has read {partition}/{position}, which is not where it reads")
        row = database.table(FACT_TABLES[view]).get((COMMUNITY, fact))
        parked = database.table("parked").get((view, SERVICE, partition, position)) is not None
        counted = 0 if row is None else row["n"]
        if counted + parked != 1:
            raise Violation(
                f"lost in a view: {view}'s mark has passed {partition}/{position}, whose fact counts {counted} times"
                f" and {'parked too' if parked else 'not parked'}"
            )

    def _read_as(self, database: Database, place: tuple[int, int]) -> UUID | None:
        """The fact that a view's reader finds there: on the topic what came first, whatever became of the log since."""
        if database is not self._projection:
            return self._facts.get(place)
        return self.past.first[place].fact if place in self.past.first else None

    def _see_lease(self, database: Database, transaction: Transaction) -> None:
        """A checkpoint is moved by whoever holds the lease at that moment."""
        by = transaction.writes.pop(("relay.by", None), None)
        if by is not None:
            held = database.table("lease").get(by[0])
            if held is None or (held[0], held[1]) != by[1:]:
                raise Violation(f"stale lease accepted: epoch {by[1]} moved a checkpoint while {held} holds")
        for (table, partition), position in transaction.writes.items():
            if table == "relay_checkpoint" and position > self._sent[partition]:
                raise Violation(
                    f"checkpoint before its record: {partition} is at {position} of {self._sent[partition]}"
                )

    def _see_topic(self, name: str, partition: int, records: list[Record]) -> None:
        """What is on the topic is in the log at that position, or was when it was sent."""
        if name != topic_of(SERVICE):
            return
        for record in self.genuine(partition, records):
            found = from_wire(record.value)
            self._sent[partition] = max(self._sent[partition], found.position)
            if wrong := self.past.sent(found):
                raise Violation(wrong)

    # At the end

    def check_log(self) -> None:
        """What was acknowledged is there, and nothing that nobody wanted."""
        facts = Counter(self._facts.values())
        lost = [f for f, asked in self.acknowledged.items() if f not in facts and not self.past.excuses(f, asked)]
        if lost:
            raise Violation(f"acknowledged fact lost: {sorted(lost)[:3]}, {len(lost)} in all")
        events = [row for rows in self._index.rows for row in rows.values()]
        decoded = [(row, CATALOGUE.decode(row["type"], row["data"])) for row in events]
        notes = [(row, event) for row, event in decoded if isinstance(event, Noted) and not thankless(event.fact)]
        waits = not_due(self._ledger)
        thanks = {thanks_for(event.fact): row["id"] for row, event in notes if row["id"] not in waits}
        unwanted = facts.keys() - self.attempted - thanks.keys()
        if unwanted:
            raise Violation(f"fact from nowhere: {sorted(unwanted)[:3]}")
        given = {event.fact: row for row, event in decoded if isinstance(event, Thanked)}
        if given.keys() != thanks.keys():
            raise Violation(f"reaction missing: {len(thanks)} notes and {len(given)} thanks")
        for fact, row in given.items():
            if (row["causation"], row["stream"]) != (thanks[fact], derived_id("thanks", thanks[fact])):
                raise Violation(f"reaction without its cause: {fact}")

    def genuine(self, partition: int, records: Sequence[Record]) -> list[Record]:
        """Without what was forged."""
        return [record for record in records if (partition, record.value) not in self.forged]

    def check_topic(self, name: str) -> None:
        on_topic = self._broker.topic(name).partitions
        for partition in range(PARTITIONS):
            seen = {from_wire(r.value).position for r in self.genuine(partition, on_topic[partition])}
            if seen != set(self._index.positions[partition]):
                missing = sorted(set(self._index.positions[partition]) - seen)
                raise Violation(f"topic differs from the log: partition {partition} lacks {missing[:5]}")
        if (different := self.differs()) is not None:
            raise Violation(f"log differs from what readers have: {different}")

    def differs(self) -> str | None:
        """What the log has not as the topic first had it, which is what every reader has."""
        for (partition, position), first in self.past.first.items():
            row = self._index.rows[partition].get(position)
            if row is None or row["id"] != first.id:
                return f"{partition}/{position} is {first.id} for readers and {row and row['id']} in the log"
        return None

    def check_parked(self, database: Database) -> None:
        """Parked is what cannot be folded and what follows it in its stream, what is of an unknown version, and
        that of which the commands are refused.
        """
        unlucky: set[UUID] = set()
        expected = set()
        for partition, rows in enumerate(self._index.rows):
            for position, row in sorted(rows.items()):
                event = CATALOGUE.decode(row["type"], row["data"])
                if isinstance(event, Deposited) and event.amount == UNLUCKY:
                    unlucky.add(row["stream"])
                if row["stream"] in unlucky:
                    expected.add(("books", SERVICE, partition, position))
                if isinstance(event, Noted) and ("count", SERVICE, partition) in database.table("watermark"):
                    expected.add(("count", SERVICE, partition, position))
        found = set(database.table("parked"))
        if found != expected:
            raise Violation(f"parked wrongly in {database.name}: {sorted(found ^ expected)[:3]}")

    def check_commands(self, database: Database) -> None:
        """Nothing waits any more but what has not come due, and what never passes, with why."""
        waits = not_due(database)
        rows_of_log = [row for rows in self._index.rows for row in rows.values()]
        events = [(row["id"], CATALOGUE.decode(row["type"], row["data"])) for row in rows_of_log]
        hopeless = {id_ for id_, event in events if isinstance(event, Noted) and thankless(event.fact)}
        rows = database.table("outgoing_command").values()
        found = {row["cause"] for row in rows if row["dead_at"] is not None and row["reason"]}
        if found != hopeless - waits or len(rows) != len(found) + len(waits):
            raise Violation(
                f"dead letters: {len(rows)} wait, {len(waits)} for their time, {len(found)} of them are dead"
            )

    def check_rows(self, what: str, live: Any, rebuilt: Any) -> None:
        if live != rebuilt:
            different = [(one, other) for one, other in zip(live, rebuilt, strict=False) if one != other][:1]
            raise Violation(
                f"rebuild differs: {what} has {len(live)} rows live, {len(rebuilt)} rebuilt; first {different}"
            )


def not_due(database: Database) -> set[UUID]:
    """What caused the commands whose time has not come, by the database's clock."""
    rows = database.table("outgoing_command").values()
    return {row["cause"] for row in rows if row["dead_at"] is None and row["due_at"] > database.clock()}


def _fact(row: Row) -> UUID:
    event: LedgerEvent = CATALOGUE.decode(row["type"], row["data"])  # type: ignore[assignment]
    return event.fact
