"""What an append rests on besides the streams it writes: streams it guards, claims, and words to stand again.

Guards and claims are looked at under the locks of their partitions, before anything is written, in the transaction
that writes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from shared.db import Driver
from shared.log.claims import held_by_others, move
from shared.log.lookup import find
from shared.log.port import Append, ClaimTaken, Position, VersionConflict
from shared.log.queue import Pending
from shared.log.sql import insert
from shared.log.together import is_guarded

HOLD = "select from log_partition where id = any($1::smallint[]) order by id for update"
"""Nobody appends to these partitions until the transaction ends, so what the next statement sees of them stays true."""
OUTDATED = """
select g.n from unnest($1::uuid[], $2::int[], $3::int[]) as g(stream, version, n)
where g.version <> coalesce((select max(l.version) from log l where l.stream = g.stream), 0)
"""
SUPERSEDE = """
update vault set superseded_at = clock_timestamp()
where community = $1 and ref = any($2::uuid[]) and content is not null and superseded_at is null
"""
"""From now on these words stand no more. By the clock of the database: what is brought in happened long ago."""
KEEP = """
update vault set superseded_at = null
where community = $1 and ref = any($2::uuid[]) and content is not null and superseded_at is not null
"""
FORGOTTEN = "select exists (select from vault where community = $1 and ref = any($2::uuid[]) and content is null)"


async def insert_guarded(
    connection: Driver, batch: Sequence[Pending]
) -> tuple[Sequence[Pending], list[list[Position]]]:
    """Write the requests whose guards hold and whose words are there; give back those, and their events' positions.

    The others are answered here: with `VersionConflict`, or with their positions where an earlier try had written them.
    """
    if not any(map(_is_more_than_one_statement, batch)):
        return batch, await insert(connection, [(pending.request, pending.partitions) for pending in batch])
    async with connection.transaction():
        held = [pending for pending in await _held(connection, batch) if await _kept(connection, pending)]
        positions = await insert(connection, [(pending.request, pending.partitions) for pending in held])
        await move(connection, [pending.request for pending in held])
        await supersede(connection, [pending.request for pending in held])
        return held, positions


def _is_more_than_one_statement(pending: Pending) -> bool:
    request = pending.request
    return bool(is_guarded(request) or request.superseded or request.again)


async def _held(connection: Driver, batch: Sequence[Pending]) -> Sequence[Pending]:
    """Those whose guards hold, and whose claims are free, until the transaction ends."""
    if not any(is_guarded(pending.request) for pending in batch):
        return batch
    locks = frozenset[int]().union(*(pending.locks for pending in batch))
    requests = [pending.request for pending in batch]
    late = await outdated(connection, requests, locks)
    for pending in (batch[n] for n in late):
        await _too_late(connection, pending, VersionConflict("a guarded stream"))
    taken = await held_by_others(connection, requests)
    for n in taken.keys() - late:
        await _too_late(connection, batch[n], ClaimTaken(taken[n]))
    return [pending for n, pending in enumerate(batch) if n not in late | taken.keys()]


async def _kept(connection: Driver, pending: Pending) -> bool:
    """Whether the words that are to stand again are there."""
    if not await forgotten(connection, pending.request):
        return True
    await _too_late(connection, pending, VersionConflict("words of a stream"))
    return False


async def _too_late(connection: Driver, pending: Pending, why: Exception) -> None:
    if found := await find(connection, pending.request):
        pending.resolve(found)
    else:
        pending.fail(why)


async def outdated(connection: Driver, requests: Sequence[Append], partitions: Collection[int]) -> set[int]:
    """Which of these requests, by their number, have a guard that no longer holds.

    `partitions` are those of all that the requests write and guard. They are locked first, all in id order, so the
    answer is true until the transaction ends, in which this must be called.
    """
    await connection.execute(HOLD, sorted(partitions))
    guards = [(guard.stream, guard.version, n) for n, request in enumerate(requests) for guard in request.guards]
    if not guards:
        return set()
    return {row["n"] for row in await connection.fetch(OUTDATED, *zip(*guards, strict=True))}


async def supersede(connection: Driver, requests: Sequence[Append]) -> None:
    """Note in the vault which words these requests leave behind; in the transaction in which they are written."""
    for request in requests:
        if request.superseded:
            await connection.execute(SUPERSEDE, request.community, list(request.superseded))


async def forgotten(connection: Driver, request: Append) -> bool:
    """Whether words that are to stand again are there no more; those that are stay from now on."""
    if not request.again:
        return False
    words = (request.community, list(request.again))
    await connection.execute(KEEP, *words)
    return bool(await connection.fetchval(FORGOTTEN, *words))
