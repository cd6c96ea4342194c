"""Facts come out of PostgreSQL as one binary stream of rows of the same width, which is an array as it stands.

Making Python objects of ten million rows takes a minute; this takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from uuid import UUID

import numpy as np
import numpy.typing as npt

from services.projection.days import SLOTS_A_DAY
from services.projection.influence.facts import ROW, Rows
from services.projection.influence.member_index import Ids
from services.projection.influence.participants import TURN, MembershipPeriods
from services.projection.policies import KINDS
from services.projection.read_models.imports import counted
from shared.db import Driver
from shared.projections.read_model_table import NEVER

_MADE = f"""
    left join lateral (
        select made.importer, {counted("made")} as counted from response as made
        where community = $1 and slot = withdrawn.slot and receiver = withdrawn.receiver
            and sender = withdrawn.sender and kind = withdrawn.kind and post = withdrawn.post
        order by made.importer desc, made.brought desc limit 1
    ) as made on true
"""  # noqa: S608 - our own condition
"""The response that a row of withdrawals takes back; of several in one slot the one that was brought in."""

_TAKEN_BACK = f"{counted('withdrawn')} and made.counted is not false"

ROWS = f"""
    with day as (select day * $3 as first, (day + 1) * $3 as after from unnest($2::int[]) as days (day))
    select slot as known, slot, receiver, sender, (array_position($4::text[], kind) - 1)::smallint, importer, n
    from day cross join lateral (
        select slot, receiver, sender, kind, importer, brought, n from response
        where community = $1 and slot >= day.first and slot < day.after offset 0
    ) as made
    where kind = any ($4::text[]) and {counted("made")}
    union all
    select withdrawn_slot, slot, receiver, sender, (array_position($4::text[], kind) - 1)::smallint,
        coalesce(made.importer, withdrawn.importer), -n
    from day cross join lateral (
        select withdrawn_slot, slot, receiver, sender, kind, post, importer, brought, n from response_withdrawal
        where community = $1 and withdrawn_slot >= day.first and withdrawn_slot < day.after offset 0
    ) as withdrawn {_MADE}
    where kind = any ($4::text[]) and {_TAKEN_BACK}
"""  # noqa: S608 - our own condition

CANCELLATIONS = f"""
    with recursive below as (
        select post, slot from post_deletion where community = $1 and version > $3 and not gone
        union
        select found.post, below.slot from below cross join lateral (
            select post from post_parent where community = $1 and parent = below.post offset 0
        ) as found
    ), deleted as (select post, min(slot) as slot from below group by post),
    cancelled as (
        select greatest(deleted.slot, made.slot) as known, made.slot, receiver, sender, kind, importer, -n as n
        from deleted cross join lateral (
            select slot, receiver, sender, kind, importer, brought, n from response
            where community = $1 and post = deleted.post offset 0
        ) as made
        where {counted("made")}
        union all
        select greatest(deleted.slot, withdrawn_slot), withdrawn.slot, receiver, sender, kind,
            coalesce(made.importer, withdrawn.importer), n
        from deleted cross join lateral (
            select withdrawn_slot, slot, receiver, sender, kind, post, importer, brought, n from response_withdrawal
            where community = $1 and post = deleted.post offset 0
        ) as withdrawn {_MADE}
        where {_TAKEN_BACK}
    )
    select known, slot, receiver, sender, (array_position($2::text[], kind) - 1)::smallint, importer, sum(n)::bigint
    from cancelled where kind = any ($2::text[])
    group by known, slot, receiver, sender, kind, importer having sum(n) <> 0
"""  # noqa: S608 - our own condition
"""What deletions take away: each response on what is deleted, or stands below it, from the slot of the deletion on.

The earliest deletion above a post counts. What is withdrawn as well would be taken away twice; it is given back once,
at the later of the two. `union` ends where posts stand in a circle, which only a broken source could tell.
"""

TURNS = """
    select member, slot, here from membership
    where community = $1 and version > $2 and not gone order by member, turn
"""

ROBOTS = "select member from robot where community = $1 and marked and version > $2 and not gone"

_HEADER = 19
_TRAILER = 2


async def read_rows(db: Driver, community: UUID, days: Collection[int]) -> Rows:
    """The facts known on those days of UTC; kinds that no policy knows and withdrawn imports are left out."""
    return await _read(db, ROW, ROWS, community, sorted(days), SLOTS_A_DAY, list(KINDS))


async def read_cancellations(db: Driver, community: UUID) -> Rows:
    """What deletions take away, all there is; where it was withdrawn as well, a count above 0 gives it back."""
    return await _read(db, ROW, CANCELLATIONS, community, list(KINDS), NEVER)


async def read_turns(db: Driver, community: UUID) -> MembershipPeriods:
    """Every joining and leaving, each member's in order."""
    return await _read(db, TURN, TURNS, community, NEVER)


async def read_robots(db: Driver, community: UUID) -> Ids:
    """The members that are marked as robots."""
    found = await db.fetch(ROBOTS, community, NEVER)
    return np.array([row["member"].bytes for row in found], "S16")


async def _read(db: Driver, row: np.dtype[np.void], query: str, *arguments: object) -> npt.NDArray[np.void]:
    """What a query answers, as records of that type."""
    names = row.names or ()
    columns = [column for name in names for column in ((f"{name}_size", ">i4"), (name, row[name].newbyteorder(">")))]
    stream = BytesIO()
    await db.copy_from_query(query, *arguments, output=stream, format="binary")
    with stream.getbuffer() as data:
        # A row in PostgreSQL's binary COPY format ("COPY", File Formats, Binary Format): each field behind its size.
        read = np.frombuffer(data[_HEADER:-_TRAILER], np.dtype([("fields", ">i2"), *columns]))
        rows = np.empty(len(read), row)
        for name in names:
            rows[name] = read[name]
        del read
    return rows


async def read_ordinals(db: Driver, community: UUID) -> Ids:
    """Which member each ordinal of the sets stands for; no bytes where an ordinal stands for nobody."""
    found = await db.fetch("select ordinal, member from member_ordinal where community = $1", community)
    ids = np.zeros(max((row["ordinal"] for row in found), default=-1) + 1, "S16")
    ids[[row["ordinal"] for row in found]] = [row["member"].bytes for row in found]
    return ids
