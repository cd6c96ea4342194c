"""Sets of members are roaring bitmaps of ordinals; a member's ordinal within its community is given once for ever.

Ordinals are dense from 1 and common to all views and generations. They are given inside the transaction that first
needs them, under a lock of the community's own, so none is given twice and none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from pyroaring import BitMap

from shared.db import Driver
from shared.projections.merge import Merged
from shared.projections.read_model import Key
from shared.projections.sql import lock_sets_statement, new_sets_statement, write_sets_statement

Member: TypeAlias = tuple[UUID, UUID]
"""A community and a member of it."""

REMEMBERED = 200_000
"""Ordinals kept in memory."""

DURABLY = "set local synchronous_commit = on"
"""What is remembered in memory, or told to somebody, must not be lost with the server: this transaction is on the disk
before anybody sees it."""
LOCK = """
select pg_advisory_xact_lock(key)
from (select distinct hashtextextended('member_ordinal:' || c, 0) as key from unnest($1::uuid[]) c order by key) k
"""
FIND = """
select o.community, o.member, o.ordinal
from member_ordinal o join unnest($1::uuid[], $2::uuid[]) as u(community, member) using (community, member)
"""
GIVE = """
insert into member_ordinal (community, member, ordinal)
select u.community, u.member,
       coalesce(known.last, 0) + row_number() over (partition by u.community order by u.member)
from unnest($1::uuid[], $2::uuid[]) as u(community, member)
left join lateral (
    select max(ordinal) as last from member_ordinal o where o.community = u.community
) known on true
where not exists (
    select from member_ordinal o where o.community = u.community and o.member = u.member
)
"""


class Ordinals:
    """Looks ordinals up, and remembers those that are committed: `learn` is told after the commit."""

    def __init__(self) -> None:
        self._known: dict[Member, int] = {}

    async def of(self, connection: Driver, members: Iterable[Member]) -> dict[Member, int]:
        """The ordinals of all these members, given to those that have none. Within a transaction."""
        wanted = set(members)
        known = self._known.get
        found = {member: ordinal for member in wanted if (ordinal := known(member)) is not None}
        for step in (FIND, GIVE):
            missing = [member for member in wanted if member not in found]
            if not missing:
                break
            communities, ids = zip(*missing, strict=True)
            if step is GIVE:
                await connection.execute(DURABLY)
                await connection.execute(LOCK, communities)
                await connection.execute(GIVE, communities, ids)
            for row in await connection.fetch(FIND, communities, ids):
                found[row["community"], row["member"]] = row["ordinal"]
        return found

    def forget(self) -> None:
        """The database may not be the one in which they were given."""
        self._known.clear()

    def learn(self, ordinals: Mapping[Member, int]) -> None:
        if len(self._known) + len(ordinals) > REMEMBERED:
            self._known.clear()
        self._known.update(ordinals)


def members_of(changes: Iterable[Merged]) -> set[Member]:
    """Everybody whom these changes put into a set; a row's community is the first part of its key."""
    return {
        (key[0], member)
        for merged in changes
        for table in merged.values()
        for sets in table.includes.values()
        for key, members in sets.items()
        for member in members
    }


async def write_sets(
    connection: Driver,
    table: sa.Table,
    generation: str,
    column: str,
    sets: Mapping[Key, Iterable[UUID]],
    ordinals: Mapping[Member, int],
) -> None:
    """Unite these members with what the rows hold, under their locks. Within a transaction."""
    if column not in table.info["include"]:
        raise KeyError(f"{table.name}: {column} is no column of a set")
    lock = lock_sets_statement(table, generation, column)
    todo = list(sets)
    while todo:
        missing = dict.fromkeys(todo)
        changed: list[Sequence[Any]] = []
        for n, held in await connection.fetch(lock.sql, *lock.arguments((*key, n) for n, key in enumerate(todo))):
            key = todo[n]
            del missing[key]
            united = BitMap.deserialize(held) if held else BitMap()
            before = len(united)
            united.update(ordinals[key[0], member] for member in sets[key])
            if len(united) > before:
                changed.append((*key, canonical(united)))
        if changed:
            write = write_sets_statement(table, generation, column)
            await connection.execute(write.sql, *write.arguments(changed))
        if not missing:
            return
        made = new_sets_statement(table, generation, column)
        rows = [(*key, _written(BitMap([ordinals[key[0], m] for m in sets[key]]))) for key in missing]
        done = await connection.execute(made.sql, *made.arguments(rows))
        # Fewer: another worker has made some meanwhile. Which ones is seen by looking again.
        todo = [] if done == f"INSERT 0 {len(rows)}" else list(missing)


def canonical(ordinals: BitMap) -> bytes:
    """The one way of writing a set down: the bytes depend on its members and not on the order they came in."""
    return _written(BitMap(ordinals.to_array()))


def _written(fresh: BitMap) -> bytes:
    """Of a set that was made in one go, and so is in the one form already."""
    fresh.run_optimize()
    return bytes(fresh.serialize())
