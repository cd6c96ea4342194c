"""Erases what a member wrote and what names them: one event of the member service, on which every service acts.

The event is appended to the member service's log; each service that has a vault hears of it as of every other event,
writes the tombstone and empties the rows. Here it is only asked for and waited for, so it may be repeated, and a
service that is down does it once it is up again.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from shared.commands.commands import CommandMetadata, Commands
from shared.db import Driver, create_engine
from shared.events.catalogue import Catalogue
from shared.log.postgres import CONNECTIONS, PostgresLog
from shared.settings import Settings

LEFT = "select count(*) from vault where community = $1 and subject = $2"
MARKED = "select exists (select from erased where community = $1 and member = $2 and not gone)"


@dataclass(frozen=True, slots=True)
class Found:
    """What a service has of a member: texts that are still there, and whether it knows that they are to go."""

    texts: int
    marked: bool

    @property
    def done(self) -> bool:
        return self.marked and not self.texts


async def found_in(service: Driver, community: UUID, member: UUID) -> Found:
    """Raises `asyncpg.UndefinedTableError` where the database is older than erasure."""
    marked = await service.fetchval(MARKED, community, member)
    return Found(await service.fetchval(LEFT, community, member), marked)


async def order(settings: Settings, community: UUID, member: UUID) -> bool:
    """Append the event; False where it had been before. Raises `NotFound` where nobody of that id ever was a member."""
    # Here, so that other commands do not pay for it.
    from services.member import events
    from services.member.membership.domain import MEMBERSHIP, erase, membership_id

    async with AsyncExitStack() as stack:
        engine = create_engine(settings, "member", connections=CONNECTIONS)
        stack.push_async_callback(engine.dispose)
        log = PostgresLog(engine, "member", settings.partitions)
        await log.start()
        stack.push_async_callback(log.close)
        done = await Commands(log, Catalogue.of(events)).execute(
            MEMBERSHIP,
            membership_id(community, member),
            lambda state: erase(MEMBERSHIP.existing(state), member),
            act=CommandMetadata(community, None, datetime.now(UTC)),
        )
        return bool(done.events)


async def compact(dsn: str) -> None:
    """Write the vault's file anew, without what emptied rows leave behind. The write-ahead log is a superuser's."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("set lock_timeout = '10s'")
        await connection.execute("vacuum (full) vault")
    finally:
        await connection.close()
