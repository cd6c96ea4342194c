"""Carries out the commands of process managers: in order for each target, side by side for different ones.

A command that fails is tried again after a pause that grows, and holds up only its own target. After `TRIES` it is a
dead letter, which an operator reads and gives again (`guildhall dead-letters`); what follows for the same target goes
on. One whose log is away is not counted: it waits as long as that takes. A row is deleted when its command was carried
out, so after a crash in between it is carried out twice, and the second time decides nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, timedelta
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import Stray
from shared.commands.commands import CommandMetadata, Commands
from shared.db import Driver, Held, is_away
from shared.events.catalogue import UnknownType
from shared.events.errors import Problem, Unavailable
from shared.processes.process_manager import IssuedCommand, OutgoingCommand, decoder_of
from shared.projections.read_model import ReadModel

TRIES = 7
"""How often a command is tried before it is a dead letter."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0
"""Seconds between two tries."""
SIDE_BY_SIDE = 16
"""Targets whose commands are carried out at the same time."""
POLL = 0.25
"""Seconds between two looks for what has come due."""

ISSUE = """
insert into outgoing_command (id, manager, target, community, cause, occurred_at, due_at, command)
select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::timestamptz[], $7::timestamptz[],
                     $8::bytea[])
on conflict (id) do nothing
"""
DUE = """
select id, manager, target, community, cause, occurred_at, due_at, command, tries
from outgoing_command o
where dead_at is null and due_at <= now() and target <> all($1::uuid[])
  and (again_at is null or again_at <= now() or again_at > now() + interval '1 minute')
  and not exists (
    select from outgoing_command before
    where before.target = o.target and before.dead_at is null and before.due_at <= now()
      and (before.due_at, before.number) < (o.due_at, o.number)
  )
order by due_at, number limit $2
"""
"""A pause never takes a minute: one that ends later was set by a clock that has gone back since."""
DONE = "delete from outgoing_command where id = $1"
FAILED = """
update outgoing_command
set tries = $2, reason = $3, again_at = now() + $4::interval, dead_at = case when $5 then now() end
where id = $1
"""

WAITING = """
select manager, count(dead_at)::int as dead,
       extract(epoch from clock_timestamp() - min(greatest(due_at, issued_at))
               filter (where dead_at is null and due_at <= now()))::float8 as overdue
from outgoing_command group by manager order by manager
"""
"""By process manager, how many commands were given up, and for how many seconds the oldest that is due has waited."""

_logger = structlog.get_logger(__name__)


async def issue(connection: Driver, commands: Iterable[IssuedCommand]) -> None:
    """Write commands down, within the transaction that moves what they follow from."""
    rows = [(c.id, c.manager, c.target, c.community, c.cause, c.occurred_at, c.due_at, c.command) for c in commands]
    if rows:
        await connection.execute(ISSUE, *zip(*rows, strict=True))


class Dispatcher:
    """Carries out what the service's process managers issue, until it is cancelled. One at a time, under a lease."""

    def __init__(self, engine: AsyncEngine, commands: Commands, managers: Iterable[ReadModel]) -> None:
        self._held = Held(engine, 2)
        self._commands = commands
        self._decoders = {manager.name: decoder_of(manager.commands) for manager in managers}
        self._under_way: dict[UUID, asyncio.Task[None]] = {}
        """By target."""
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was issued."""
        self._woken.set()

    async def run(self) -> None:
        try:
            while True:
                self._woken.clear()
                for row in await self._due():
                    self._under_way[row["target"]] = asyncio.create_task(self._carry_out(row), name="command")
                await self._one_ends_or_is_issued()
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            await self._held.close()

    async def _due(self) -> list[asyncpg.Record]:
        free = SIDE_BY_SIDE - len(self._under_way)
        if free <= 0:
            return []
        async with self._held.borrow() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(DUE, list(self._under_way), free)
        return rows

    async def _one_ends_or_is_issued(self) -> None:
        waiting = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait([waiting, *self._under_way.values()], timeout=POLL, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for target, task in [*self._under_way.items()]:
            if task.done():
                del self._under_way[target]
                task.result()  # the database is away: whoever runs this begins it anew

    async def _carry_out(self, row: asyncpg.Record) -> None:
        try:
            await self._execute(row)
        except Exception as error:  # whatever a decision raises, other targets go on
            await self._failed(row, error)
            return
        async with self._held.borrow() as connection:
            await connection.execute(DONE, row["id"])

    async def _execute(self, row: asyncpg.Record) -> None:
        command: OutgoingCommand = self._decoders[row["manager"]].decode(row["command"])
        decider, stream = command.target(row["community"])
        at = row["occurred_at"].astimezone(UTC)
        act = CommandMetadata(row["community"], None, at, causation=row["cause"])
        await self._commands.execute(
            decider,
            stream,
            lambda state, *bases: command.decide(state, at, *bases),
            act=act,
            on=command.on(row["community"]),
        )

    async def _failed(self, row: asyncpg.Record, error: Exception) -> None:
        newer = isinstance(error.__cause__, UnknownType)  # of the target's state alone: it is no log that is away
        counts = newer or not (isinstance(error, (Unavailable, Stray)) or is_away(error))
        tries = row["tries"] + counts
        dead = tries >= TRIES
        pause = min(FIRST_PAUSE * 2 ** max(tries - 1, 0), LONGEST_PAUSE)
        async with self._held.borrow() as connection:
            await connection.execute(FAILED, row["id"], tries, _why(error), timedelta(seconds=pause), dead)
        if dead:
            _logger.error(
                "command is a dead letter", manager=row["manager"], command=str(row["id"]), reason=_why(error)
            )


def _why(error: Exception) -> str:
    text = f"{error.title}: {error.detail}" if isinstance(error, Problem) else f"{type(error).__name__}: {error}"
    return " ".join(text.replace("\x00", "").split())[:500]
