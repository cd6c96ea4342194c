"""Claims are taken and released in the append. Who wants a key holds the lock of the partition in which its place lies.

So two that take one key are one after the other, in different processes too, and no lock is added to those that an
append takes in id order anyhow. The table itself lets a key have several holders: a log that went back and was put
right again may say so of two streams, and each keeps what readers have seen; nobody else gets it until all have let go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.db import Driver
from shared.events.claim import Claim
from shared.log.port import Append

HOLDERS = "select stream from claim where community = $1 and scope = $2 and key = $3 order by stream"
HELD = """
select c.n, h.stream from unnest($1::uuid[], $2::text[], $3::text[]) with ordinality as c(community, scope, key, n)
join claim h using (community, scope, key)
"""
RELEASE = """
delete from claim c using unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) as r(community, scope, key, stream)
where (c.community, c.scope, c.key, c.stream) = (r.community, r.scope, r.key, r.stream)
"""
TAKE = """
insert into claim (community, scope, key, stream)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) on conflict do nothing
"""

Row = tuple[UUID, str, str, UUID]


def rows(community: UUID, claims: Sequence[tuple[UUID, Claim]]) -> list[Row]:
    """As the table has them."""
    return [(community, claim.scope, claim.key, stream) for stream, claim in claims]


def places(request: Append) -> set[UUID]:
    """What a request takes and releases, each by its place."""
    return {claim.place(request.community) for _, claim in (*request.taken, *request.released)}


async def held_by_others(connection: Driver, requests: Sequence[Append]) -> dict[int, Claim]:
    """Which of these requests, by their number, take what another stream holds, and what that is.

    True until the transaction ends in which the partitions of all the claims are locked. What a request itself releases
    is free for it.
    """
    wanted = [(n, stream, claim) for n, request in enumerate(requests) for stream, claim in request.taken]
    if not wanted:
        return {}
    asked = [(requests[n].community, claim.scope, claim.key) for n, _, claim in wanted]
    late: dict[int, Claim] = {}
    for row in await connection.fetch(HELD, *zip(*asked, strict=True)):
        n, stream, claim = wanted[row["n"] - 1]
        if row["stream"] != stream and (row["stream"], claim) not in requests[n].released:
            late.setdefault(n, claim)
    return late


async def move(connection: Driver, requests: Sequence[Append]) -> None:
    """Release and take what these requests do; in the transaction in which they are written."""
    for statement, moved in (
        (RELEASE, [row for request in requests for row in rows(request.community, request.released)]),
        (TAKE, [row for request in requests for row in rows(request.community, request.taken)]),
    ):
        if moved:
            columns: list[Any] = list(zip(*moved, strict=True))
            await connection.execute(statement, *columns)
