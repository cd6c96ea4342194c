"""How many lines a caller may bring in on a day of UTC, to one service; operators as many as they like.

Counted in the service's database, so for all its processes and over restarts, by blocks: what a request did not use of
its last block it gives back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.policy import OPERATE_SCOPE
from shared.db import driver
from shared.errors import TooManyRequests
from shared.identity import Caller

BLOCK: Final = 200
"""Lines that are counted at once."""

_COUNT = """
with past as (delete from import_count where caller = $1 and day < $2)
insert into import_count (caller, day, lines) values ($1, $2, $3)
on conflict (caller, day) do update set lines = import_count.lines + excluded.lines
returning lines
"""

_ANYWHERE = UUID(int=0)


class Quota:
    """The lines of one request: `async with` it, and ask `spend` before each."""

    def __init__(self, engine: AsyncEngine, caller: Caller, most: int) -> None:
        self._engine = engine
        self._exempt = OPERATE_SCOPE in caller.scopes
        self._caller = caller.member_in(_ANYWHERE)
        self._most = most
        self._left = 0
        """Lines of the block that are within the quota and not used yet."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._left:
            await self._count(-self._left)

    async def spend(self) -> bool:
        """Whether one more line is within the quota."""
        if self._exempt:
            return True
        if not self._left:
            counted = await self._count(BLOCK)
            self._left = min(max(self._most - (counted - BLOCK), 0), BLOCK)
            if self._left < BLOCK:
                await self._count(self._left - BLOCK)
        if not self._left:
            return False
        self._left -= 1
        return True

    async def _count(self, lines: int) -> int:
        async with driver(self._engine) as connection:
            counted: int = await connection.fetchval(_COUNT, self._caller, datetime.now(UTC).date(), lines)
        return counted


def used_up(most: int) -> TooManyRequests:
    """What a line beyond the quota is answered with."""
    return TooManyRequests(
        f"You have sent {most:,} lines to this service today, as many as one may bring in a day. Go on tomorrow (UTC), "
        "or have an operator bring them in."
    )
