"""How much of something a caller may do on a day of UTC, in one service; operators as much as they like.

Counted in the service's database, so for all its processes and over restarts, by blocks: what a request did not use of
its last block it gives back.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.events.errors import TooManyRequests
from shared.events.identity import Caller
from shared.web.access.policy import OPERATE_SCOPE
from shared.web.runtime import machine_clock

LINES: Final = "lines"
FOUNDINGS: Final = "foundings"
JOININGS: Final = "joinings"
IDLE_KEYS: Final = "idle keys"

_COUNT = """
with past as (delete from quota where what = $1 and caller = $2 and day < $3)
insert into quota (what, caller, day, used) values ($1, $2, $3, $4)
on conflict (what, caller, day) do update set used = quota.used + excluded.used
returning used
"""

_ANYWHERE = UUID(int=0)


class Quota:
    """What one request takes of it: `async with` it, and ask `spend` before each.

    Where only the outcome tells whether something was done, ask `reserve` before and say `use` after.
    """

    def __init__(self, engine: AsyncEngine, caller: Caller, what: str, most: int, *, block: int = 1) -> None:
        self._engine = engine
        self._exempt = OPERATE_SCOPE in caller.scopes
        self._key = (what, caller.member_in(_ANYWHERE))
        self._most = most
        self._block = block
        self._left = 0
        """How much of the block is within the quota and not used yet."""
        self._day = date.min

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._left:
            await self._count(-self._left)

    async def spend(self) -> bool:
        """Whether one more is within the quota; then it is used."""
        within = await self.reserve()
        if within:
            self.use()
        return within

    async def reserve(self) -> bool:
        """Whether one more is within the quota; then nobody else gets it before it is used or given back."""
        if self._exempt or self._left:
            return True
        self._day = machine_clock().date()
        counted = await self._count(self._block)
        self._left = min(max(self._most - (counted - self._block), 0), self._block)
        if self._left < self._block:
            await self._count(self._left - self._block)
        return self._left > 0

    def use(self) -> None:
        """What was reserved is used."""
        self._left -= not self._exempt

    def give_back(self) -> None:
        """What was used came to nothing."""
        self._left += not self._exempt

    async def _count(self, number: int) -> int:
        async with driver(self._engine) as connection:
            used: int = await connection.fetchval(_COUNT, *self._key, self._day, number)
        return used


def used_up(detail: str) -> TooManyRequests:
    """What is answered beyond a quota, until the next day of UTC."""
    now = machine_clock()
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    return TooManyRequests(detail, retry_after=(tomorrow - now).total_seconds())
