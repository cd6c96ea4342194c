"""A database that goes back: its backups, what the oracle remembers of what was, and the operator who recovers.

A restore, or a failover to a replica that was behind: the server begins anew with what was committed up to a minute
ago. The operator waits until a relay says that log and topic disagree, and runs the code of `guildhall recover` then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from deploy.operations.recover import CannotRecover, missing, put_back
from deploy.operations.topics import topics
from shared.db import FAILED
from shared.events.event import Recorded
from shared.kafka.topics import BROKER_AWAY, TopicProblem
from tests.simulation.domain import BOOKS, CATALOGUE, SERVICE, LedgerEvent
from tests.simulation.rows import Row

if TYPE_CHECKING:
    from tests.simulation.postgres import Database, Tables
    from tests.simulation.processes import Instance
    from tests.simulation.world import World

BACKUPS = 60
"""A backup of each virtual second of the last minute."""
LOOK = 1.0
"""Seconds between two looks of the operator."""


class Backups:
    """What some databases held, one second after another, from before anything was written on."""

    def __init__(self, *databases: Database) -> None:
        self._of: dict[Database, deque[Tables]] = {database: deque(maxlen=BACKUPS) for database in databases}
        self.take()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.take()

    def take(self) -> None:
        for database, backups in self._of.items():
            backups.append(database.copy())

    def of(self, database: Database, ago: int) -> Tables:
        """The one taken that many before the last; the first there is, if there are no more."""
        backups = self._of[database]
        return backups[max(0, len(backups) - 1 - ago)]


class First(NamedTuple):
    """The first genuine record on the topic at a position, which every reader has; `returns` as when it came."""

    id: UUID
    fact: UUID
    returns: int


class Past:
    """What ever was in the log, what the topic first had at each position, and what was lost when the log went back."""

    def __init__(self) -> None:
        self.returns = 0
        """How often the log went back."""
        self.upheavals = 0
        """How often it became another than appends alone make of it: when it went back, and when that was mended."""
        self.first: dict[tuple[int, int], First] = {}
        self._ever: dict[tuple[int, int, UUID], bytes] = {}
        """The data of each event by partition, position and id."""
        self._lost: dict[UUID, int] = {}
        """Facts that were in the log until it went back, and the how manieth time that was."""
        self.aside: set[UUID] = set()
        """Facts that `recover` took out of the log, to be kept elsewhere."""

    def went_back(self, lost: Iterable[UUID]) -> None:
        self.returns += 1
        self.upheavals += 1
        self._lost.update(dict.fromkeys(lost, self.returns))

    def written(self, place: tuple[int, int], row: Row) -> str | None:
        """An event is in the log; what is wrong with that, if anything is.

        What a leader from before the log went back sends late may come when the position has been given to another.
        """
        self._ever[(*place, row["id"])] = row["data"]
        first = self.first.get(place)
        if first is not None and first.id != row["id"] and first.returns < self.returns:
            return f"position given twice: {place} is {row['id']} in the log and {first.id} for all who read the topic"
        return None

    def sent(self, record: Recorded) -> str | None:
        """A genuine record is on the topic; what is wrong with that, if anything is."""
        place = (record.partition, record.position)
        self.first.setdefault(place, First(record.id, fact_of(record), self.returns))
        if self._ever.get((*place, record.id)) != record.data:
            return f"phantom on the topic: {place} has {record.id}, which never was in the log"
        return None

    def set_aside(self, event: Recorded) -> None:
        self.aside.add(fact_of(event))

    def excuses(self, fact: UUID, asked: int) -> bool:
        """Whether a fact may be missing that was acknowledged to somebody who asked when `returns` was that."""
        return fact in self.aside or self._lost.get(fact, 0) > asked


def fact_of(event: Recorded) -> UUID:
    decoded: LedgerEvent = CATALOGUE.decode(event.type, event.data)  # type: ignore[assignment]
    return decoded.fact


async def operate(instance: Instance) -> None:
    """Recover whenever a relay says that it takes that."""
    engine = instance.engine(instance.world.ledger)
    while True:
        await asyncio.sleep(LOOK)
        if _is_asked_for(instance.world):
            try:
                await _recover(instance.world, engine)
            except (CannotRecover, TopicProblem, *BROKER_AWAY, *FAILED) as problem:
                instance.world.trace("not recovered", type(problem).__name__, problem)


def _is_asked_for(world: World) -> bool:
    problems = [service.relay.state.problem for service in world.services if service.relay is not None]
    return any("guildhall recover" in problem for problem in problems if problem is not None)


async def _recover(world: World, engine: Any) -> None:
    log = await engine.open()
    try:
        async with topics(world.settings, [SERVICE]) as broker:
            lacking = await missing(broker, SERVICE, log)
        if lacking:
            done = await put_back(log, SERVICE, lacking, [BOOKS], world.oracle.past.set_aside)
            world.trace("recovered", done.events, "events, set aside", sum(len(each.others) for each in lacking))
    finally:
        log.terminate()
