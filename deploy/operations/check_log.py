"""The log: positions 1, 2, 3 … in every partition and versions 1, 2, 3 … in every stream, none missing."""

from __future__ import annotations

import random

import asyncpg

from deploy.operations.findings import Finding, broken, ok, places, warning
from deploy.operations.lag import RELAY
from deploy.operations.service_under_check import ServiceUnderCheck
from shared.log.sql import HEADS

WINDOW, WINDOWS = 1_000, 4
"""Positions counted in one piece, and pieces of each partition besides its end, where not the whole is read."""
SLOW, STILL = 5.0, 30.0
"""Seconds the oldest event that is not relayed may wait, and that it may wait for a relay that works."""

EDGES = """
select p.id, p.position as head,
       coalesce((select position from log where partition = p.id order by position limit 1), 0) as first,
       coalesce((select position from log where partition = p.id order by position desc limit 1), 0) as last
from log_partition p order by p.id
"""
COUNTED = """
select u.partition, u.low, u.high, (
    select count(*) from log l where l.partition = u.partition and l.position between u.low and u.high
) as found
from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as u(partition, low, high)
"""
WHOLE = "select partition, count(*) as found, max(position) as last from log group by partition"
STREAMS = """
select stream from log group by stream having min(version) <> 1 or max(version) <> count(*) limit 5
"""
DISPUTED = """
select scope, key, array_agg(stream order by stream) as streams from claim
group by community, scope, key having count(*) > 1 order by scope, key limit 100
"""
RESTORE = "Restore the database from a backup that has them, or find who changed the table; the log is never edited."


async def agreed(of: ServiceUnderCheck) -> Finding:
    """The relay found in this database that the log has what its topic has; appends are taken only then."""
    check = "log and topic"
    if all(row["agreed"] for row in await of.database.fetch(HEADS)):
        return ok(check, of.name, "The log has what its topic has, as compared since the database began.")
    return broken(
        check,
        of.name,
        "It is not known that the log has what its topic has, so nothing is written: the relay has not compared them "
        "since the database began, or has found that it lacks events, as after a restore.",
        f"guildhall recover {of.name} --look; if it lacks nothing, start a worker and Kafka: guildhall run {of.name}",
    )


async def claims(of: ServiceUnderCheck) -> Finding:
    """What is to be unique is held by one stream each."""
    check = "claims"
    rows = await of.database.fetch(DISPUTED)
    if not rows:
        return ok(check, of.name, "Nothing that is to be unique is held twice.")
    words = places([f"{r['scope']} {r['key']!r} by {', '.join(map(str, r['streams']))}" for r in rows])
    return warning(
        check,
        of.name,
        f"Held by several, since a log that went back was put right: {words}. Nobody else gets it.",
        "Give all of them but one another, as by renaming them.",
    )


async def positions(of: ServiceUnderCheck) -> Finding:
    """Every position from 1 to the head is there, by count; counted in samples, or all of them."""
    check = "log"
    edges = await of.database.fetch(EDGES)
    wrong = [
        f"partition {r['id']} has positions {r['first']} to {r['last']} and says {r['head']}"
        for r in edges
        if r["last"] != r["head"] or (r["last"] and r["first"] != 1)
    ]
    wrong += await (_whole(of) if of.full else _samples(of, edges))
    if wrong:
        return broken(
            check,
            of.name,
            f"Events are missing from the log: {places(wrong)}. Readers stop at the first of them.",
            RESTORE,
        )
    if of.full and (streams := [str(row["stream"]) for row in await of.database.fetch(STREAMS)]):
        return broken(check, of.name, f"Versions are missing in streams: {places(streams)}.", RESTORE)
    events = sum(row["head"] for row in edges)
    how = "all counted" if of.full else "counted in samples; --full counts all"
    return ok(check, of.name, f"{events:,} events in {len(edges)} partitions, no position missing ({how}).")


async def _whole(of: ServiceUnderCheck) -> list[str]:
    return [
        f"partition {row['partition']} has {row['found']} of {row['last']}"
        for row in await of.database.fetch(WHOLE, timeout=600)
        if row["found"] != row["last"]
    ]


async def _samples(of: ServiceUnderCheck, edges: list[asyncpg.Record]) -> list[str]:
    pieces = []
    for row in edges:
        lows = [max(1, row["last"] - WINDOW + 1)] if row["last"] else []
        if row["last"] > WINDOW:
            lows += [random.randint(1, row["last"] - WINDOW) for _ in range(WINDOWS)]  # noqa: S311 - a sample
        pieces += [(row["id"], low, min(low + WINDOW - 1, row["last"])) for low in lows]
    if not pieces:
        return []
    return [
        f"partition {row['partition']} has {row['found']} of positions {row['low']} to {row['high']}"
        for row in await of.database.fetch(COUNTED, *zip(*pieces, strict=True))
        if row["found"] != row["high"] - row["low"] + 1
    ]


async def relay(of: ServiceUnderCheck) -> Finding:
    """The relay is not ahead of the log, and not long behind it."""
    check = "relay"
    stages = [s for lag in of.lag.services if lag.service == of.name for s in lag.stages if s.reader == RELAY]
    if not stages:
        return broken(check, of.name, "The database does not say how far the relay is.", f"guildhall migrate {of.name}")
    stage = stages[0]
    heads = of.heads[of.name]
    ahead = [
        f"partition {p}: {at} of {head}"
        for p, (at, head) in enumerate(zip(stage.positions, heads, strict=False))
        if at > head
    ]
    if ahead:
        return broken(
            check,
            of.name,
            f"The relay noted more than the log has ({places(ahead)}): the database was restored from an older state.",
            f"guildhall recover {of.name} --look, then without --look.",
        )
    events, age = stage.events or 0, stage.age or 0.0
    meaning = f"{events:,} events wait to be relayed, the oldest for {age:.1f} s."
    if age > STILL:
        return broken(
            check,
            of.name,
            f"{meaning} The relay stands still: nothing new reaches projection and partners.",
            f"Look at the checks `leases`, `broker` and `service`, and at `guildhall logs {of.name}` for relay lines.",
        )
    if age > SLOW:
        return warning(check, of.name, meaning, "Look again in a moment; if it grows, at the broker's load and disk.")
    return ok(check, of.name, meaning if events else "Everything is relayed.")
