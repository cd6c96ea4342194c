"""One process leads at a time: a lease row whose epoch grows, checked in the transaction it guards.

Time is the database's own clock, so two processes never disagree about it. A leader that was paused may still believe
in its lease; what refuses its writes is the epoch, not the clock. The guard takes a share lock on the row, so a new
leader cannot begin between the check and the commit of the old one's write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.cancellation import Stray, attempt, end
from shared.db import FAILED, Driver, Held

DURATION = 10.0
RENEWAL = 3.0
STANDBY = 0.5
"""Seconds: how long a lease lasts, how often it is renewed, how often those who stand by look."""

ACQUIRE = """
insert into lease (name, epoch, holder, expires_at)
values ($1, 1, $2, clock_timestamp() + $3 * interval '1 second')
on conflict (name) do update
    set epoch = lease.epoch + 1, holder = excluded.holder, expires_at = excluded.expires_at
    where lease.holder is null or lease.expires_at <= clock_timestamp()
       or lease.expires_at > clock_timestamp() + $3 * interval '1 second'
returning epoch
"""
"""The last condition: no lease lasts longer than one taken now, unless the clock was set back since it was taken."""
RENEW = """
update lease set expires_at = clock_timestamp() + $4 * interval '1 second'
where name = $1 and epoch = $2 and holder = $3 returning epoch
"""
RELEASE = """
update lease set holder = null, expires_at = clock_timestamp() where name = $1 and epoch = $2 and holder = $3
"""
HELD = "select epoch from lease where name = $1 and epoch = $2 and holder = $3 for share"
"""Gives a row while the lease is held and keeps it so until the transaction ends; may stand inside another statement.

Its parameters $1 to $3 are `Lease.key`.
"""

_logger = structlog.get_logger(__name__)


class LeaseLost(Exception):
    """Somebody else leads, or may do so by now."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to lead under `name`; each time it passes to another, `epoch` is higher by one."""

    name: str
    epoch: int
    holder: UUID

    @property
    def key(self) -> tuple[str, int, UUID]:
        return self.name, self.epoch, self.holder

    async def check(self, connection: Driver) -> None:
        """Within a transaction: nobody else can lead before it ends. Raises `LeaseLost` when somebody does already."""
        if await connection.fetchval(HELD, *self.key) is None:
            raise LeaseLost(f"{self.name}, epoch {self.epoch}")


async def acquire(connection: Driver, name: str, *, duration: float = DURATION) -> Lease | None:
    """The lease, if it is free or has expired; None while another holds it."""
    holder = uuid4()
    epoch = await connection.fetchval(ACQUIRE, name, holder, duration)
    return None if epoch is None else Lease(name, epoch, holder)


async def renew(connection: Driver, lease: Lease, *, duration: float = DURATION) -> None:
    """Hold it for `duration` seconds from now. Raises `LeaseLost` when it has passed to another."""
    if await connection.fetchval(RENEW, *lease.key, duration) is None:
        raise LeaseLost(f"{lease.name}, epoch {lease.epoch}")


async def release(connection: Driver, lease: Lease) -> None:
    """Let the next one take over at once; nothing happens when it has already."""
    await connection.execute(RELEASE, *lease.key)


async def lead(
    engine: AsyncEngine,
    name: str,
    work: Callable[[Lease], Awaitable[None]],
    *,
    duration: float = DURATION,
    renewal: float = RENEWAL,
    standby: float = STANDBY,
) -> None:
    """Stand by until this process leads, do the work, stop it when the lease is lost, and stand by again.

    Returns when the work returns. Work that raises is logged and begun again after standing by; it is never the end
    of the process. A cancelled `lead` stops the work and releases the lease. Times are in seconds.
    """
    connections = Held(engine, 1)
    try:
        await _stand_by(connections, name, work, duration, renewal, standby)
    finally:
        await connections.close()


async def _stand_by(
    connections: Held,
    name: str,
    work: Callable[[Lease], Awaitable[None]],
    duration: float,
    renewal: float,
    standby: float,
) -> None:
    away = False
    while True:
        began = time.monotonic()
        lease = None
        try:
            with attempt():
                async with asyncio.timeout(renewal), connections.borrow() as connection:
                    lease = await acquire(connection, name, duration=duration)
            if away:
                away = False
                _logger.info("lease database is back", lease=name)
        except (*FAILED, Stray) as error:
            if not away:
                away = True
                _logger.warning("lease database does not answer", lease=name, error=type(error).__name__)
        if lease is not None and await _hold(connections, lease, work, began + duration, duration, renewal):
            return
        await asyncio.sleep(standby)


async def _hold(
    connections: Held,
    lease: Lease,
    work: Callable[[Lease], Awaitable[None]],
    until: float,
    duration: float,
    renewal: float,
) -> bool:
    """Do the work for as long as the lease lasts. True when the work came to its end."""
    _logger.info("leading", lease=lease.name, epoch=lease.epoch)
    working = asyncio.ensure_future(work(lease))
    renewing = asyncio.create_task(_keep(connections, lease, until, duration, renewal), name=f"lease-{lease.name}")
    try:
        await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            _logger.warning("no longer leading", lease=lease.name, epoch=lease.epoch)
            return False
        if working.cancelled():  # not by us: something the work stood on has died
            _logger.error("led work was cancelled", lease=lease.name, epoch=lease.epoch)
            return False
        try:
            await working
        except LeaseLost:
            _logger.warning("no longer leading", lease=lease.name, epoch=lease.epoch)
            return False
        except Exception:
            _logger.exception("led work failed", lease=lease.name, epoch=lease.epoch)
            return False
        return True
    finally:
        # The work is stopped before the lease is released: the next leader finds nobody at it.
        try:
            await end(working, renewing)
        finally:
            with suppress(*FAILED):
                async with asyncio.timeout(renewal), connections.borrow() as connection:
                    await release(connection, lease)


async def _keep(connections: Held, lease: Lease, until: float, duration: float, renewal: float) -> None:
    """Renew until the lease is lost, or until it may have run out without our hearing of it; then return.

    The end is reckoned from before the question was sent, on this process's own steady clock: never later than the
    database's own.
    """
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(renewal, left))
        asked = time.monotonic()
        try:
            with attempt():
                async with asyncio.timeout(max(0.0, min(renewal, until - asked))), connections.borrow() as connection:
                    await renew(connection, lease, duration=duration)
        except LeaseLost:
            return
        except (*FAILED, Stray) as error:
            _logger.warning("lease not renewed", lease=lease.name, error=type(error).__name__)
        else:
            until = asked + duration
