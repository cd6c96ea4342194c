"""The leases: somebody leads every part of a worker, and nothing lets two lead at once."""

from __future__ import annotations

from deploy.operations.findings import Finding, broken, ok, places, warning
from deploy.operations.service_under_check import ServiceUnderCheck

PASSING = 15.0
"""Seconds after which a lease that ran out has passed to another, wherever one stands by."""

LEASES = """
select name, epoch, holder is not null as held, extract(epoch from clock_timestamp() - expires_at)::float8 as expired
from lease order by name
"""
ONLY_ONE = "select count(*) from pg_constraint where conrelid = 'lease'::regclass and contype = 'p'"


def expected(of: ServiceUnderCheck) -> list[str]:
    """The leases under which this service's worker works; without facts its readers share by group instead."""
    names = []
    if of.has_log:
        names = ["relay"]
        if of.service.own_read_models:
            names.append("views")
        if of.service.topic_read_models:
            names.append("topics")
        if of.service.process_managers:
            names.append("reactions")
    return names + [worker.__qualname__ for worker in of.service.workers]


async def leases(of: ServiceUnderCheck) -> Finding:
    """Each lease is held, by one."""
    check = "leases"
    rows = await of.database.fetch(LEASES)
    names = [row["name"] for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not await of.database.fetchval(ONLY_ONE):
        return broken(
            check,
            of.name,
            f"The table of leases has lost its key{f', and {places(twice)} stands in it twice' if twice else ''}: two "
            "processes could lead at once. Readers skip what is relayed twice; other work is done twice.",
            "Stop all workers but one, delete the rows, and: alter table lease add primary key (name)",
        )
    held = {r["name"] for r in rows if r["held"] and r["expired"] < 0}
    passing = {r["name"] for r in rows if r["held"] and 0 <= r["expired"] < PASSING}
    nobody = [name for name in expected(of) if name not in held | passing]
    if nobody:
        return broken(
            check,
            of.name,
            f"Nobody leads {places(nobody)}: that part of the worker stands still.",
            f"Start a worker: guildhall run {of.name} --only worker; if one runs, see `guildhall logs {of.name}`.",
        )
    if passing:
        return warning(
            check,
            of.name,
            f"The leader of {places(sorted(passing))} died or lost its database; another takes over now.",
            "Look again in a moment; if it happens often, at the database's answers and at pauses of the process.",
        )
    words = places([f"{r['name']} (epoch {r['epoch']})" for r in rows if r["name"] in held], most=9)
    return ok(check, of.name, f"Held: {words}." if held else "None is needed: readers share their partitions.")
