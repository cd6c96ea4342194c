"""Facts come out of PostgreSQL as one binary stream of rows of the same width, which is an array as it stands.

Making Python objects of ten million rows takes a minute; this takes seconds.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BytesIO
from uuid import UUID

import numpy as np

from services.projection.days import SLOTS_A_DAY
from services.projection.influence.facts import ROW, Rows
from services.projection.influence.roster import Ids
from services.projection.policies import KINDS
from shared.db import Driver

ROWS = """
    with day as (select day * $3 as first, (day + 1) * $3 as after from unnest($2::int[]) as days (day))
    select slot as known, slot, receiver, sender, (array_position($4::text[], kind) - 1)::smallint, n
    from day cross join lateral (
        select slot, receiver, sender, kind, n from response
        where community = $1 and slot >= day.first and slot < day.after offset 0
    ) as made
    where kind = any ($4::text[])
    union all
    select withdrawn_slot, slot, receiver, sender, (array_position($4::text[], kind) - 1)::smallint, -n
    from day cross join lateral (
        select withdrawn_slot, slot, receiver, sender, kind, n from response_withdrawal
        where community = $1 and withdrawn_slot >= day.first and withdrawn_slot < day.after offset 0
    ) as withdrawn
    where kind = any ($4::text[])
"""

_HEADER = 19
_TRAILER = 2
_TUPLE = np.dtype(
    [
        ("fields", ">i2"),
        *(
            column
            for name, kind in (
                ("known", ">i4"),
                ("slot", ">i4"),
                ("receiver", "S16"),
                ("sender", "S16"),
                ("kind", ">i2"),
                ("count", ">i8"),
            )
            for column in ((f"{name}_size", ">i4"), (name, kind))
        ),
    ]
)
"""A row in PostgreSQL's binary COPY format ("COPY", File Formats, Binary Format): each field behind its size."""


async def read_rows(db: Driver, community: UUID, days: Collection[int]) -> Rows:
    """The facts known on those days of UTC; kinds that no policy knows are left out."""
    stream = BytesIO()
    await db.copy_from_query(ROWS, community, sorted(days), SLOTS_A_DAY, list(KINDS), output=stream, format="binary")
    with stream.getbuffer() as data:
        read = np.frombuffer(data[_HEADER:-_TRAILER], _TUPLE)
        rows = np.empty(len(read), ROW)
        for name in ROW.names or ():
            rows[name] = read[name]
        del read
    return rows


async def read_ordinals(db: Driver, community: UUID) -> Ids:
    """Which member each ordinal of the sets stands for; no bytes where an ordinal stands for nobody."""
    found = await db.fetch("select ordinal, member from member_ordinal where community = $1", community)
    ids = np.zeros(max((row["ordinal"] for row in found), default=-1) + 1, "S16")
    ids[[row["ordinal"] for row in found]] = [row["member"].bytes for row in found]
    return ids
