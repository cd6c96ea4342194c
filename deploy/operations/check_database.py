"""The database itself: its schema, its clock, its connections, and transactions that hold others up."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import itemgetter

from deploy.operations.findings import Finding, broken, ok, places, warning
from deploy.operations.service_under_check import ServiceUnderCheck
from shared.db import Driver
from shared.lag import now
from shared.service.migrate import PARTITIONED, newest

SKEW = (1.0, 30.0)
"""Seconds between two clocks that are worth a warning, and that are too many."""
ASKED = 5
"""Times a clock is read; the answer that took the shortest tells best."""
IDLE, LONG = 5.0, 60.0
"""Seconds a transaction may be idle, and that it may take."""
FULL = 0.8
"""Share of the server's connections that may be in use."""

SESSIONS = """
select pid, application_name, state, extract(epoch from clock_timestamp() - xact_start)::float8 as age
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
  and backend_type = 'client backend'
order by xact_start
"""
CONNECTIONS = """
select count(*) as used, current_setting('max_connections')::int as most from pg_stat_activity
where backend_type = 'client backend'
"""


async def schema(of: ServiceUnderCheck) -> Finding:
    """The migrations are at their head, and the log has the partitions of the settings."""
    wanted, at = newest(of.service), set[str]()
    if await of.database.fetchval("select to_regclass('alembic_version')") is not None:
        at = {row["version_num"] for row in await of.database.fetch("select version_num from alembic_version")}
    if wanted - at:
        return broken(
            "migrations",
            of.name,
            f"The database is at {_names(at)}, the program needs {_names(wanted)}: the service is not ready.",
            f"guildhall migrate {of.name}",
        )
    for table in PARTITIONED if of.has_log else ():
        count = await of.database.fetchval(f"select count(*) from {table}")  # noqa: S608 - our own names
        if count != of.settings.partitions:
            return broken(
                "migrations",
                of.name,
                f"{table} has {count} partitions, the settings say {of.settings.partitions}: events would go astray.",
                f"Set GUILDHALL_PARTITIONS={count}; the number is fixed when a system is made.",
            )
    return ok("migrations", of.name, f"The schema is at {_names(wanted)}.")


def _names(revisions: set[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"


async def clock(of: ServiceUnderCheck) -> Finding:
    """The database's clock and this machine's agree."""
    before = time.time()
    there = await of.database.fetchval("select clock_timestamp()")
    skew = there.timestamp() - (before + time.time()) / 2
    return clocks("clock", of.name, "The database's clock", skew)


def clocks(check: str, where: str, whose: str, skew: float) -> Finding:
    meaning = f"{whose} is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's."
    if abs(skew) < SKEW[0]:
        return ok(check, where, f"{whose} agrees with this machine's, within {max(0.1, abs(skew)):.1f} s.")
    means = f"{meaning} Times of events and tokens are judged by it; order and leases are not."
    make = warning if abs(skew) < SKEW[1] else broken
    return make(check, where, means, f"Have both set their clocks by NTP; it is {datetime.now(UTC):%H:%M:%S} UTC here.")


async def offset(connection: Driver) -> tuple[float, float]:
    """Seconds by which a database's clock is ahead of this machine's, and by how many that may be wrong."""
    best = (0.0, float("inf"))
    for _ in range(ASKED):
        before = time.time()
        there = await now(connection)
        after = time.time()
        best = min(best, (there.timestamp() - (before + after) / 2, (after - before) / 2), key=itemgetter(1))
    return best


def together(offsets: Mapping[str, tuple[float, float]], bound: float) -> Finding:
    """The clocks of all databases differ by no more than the settings say, as far as that can be seen from here."""
    check, where = "database clocks", "databases"
    first, last = (pick(offsets, key=lambda name: offsets[name][0]) for pick in (min, max))
    apart = offsets[last][0] - offsets[first][0]
    unsure = offsets[last][1] + offsets[first][1]
    if apart - unsure <= bound:
        return ok(
            check, where, f"{len(offsets)} clocks differ by {max(apart, unsure):.3f} s at most; {bound} s may be."
        )
    return broken(
        check,
        where,
        f"The clock of {last} is {apart:.3f} s ahead of that of {first} (give or take {unsure:.3f}), and look-ups "
        f"allow for {bound} s: who asks right after something was written may be told that it is not there.",
        "Have the databases' machines set their clocks by NTP, or set GUILDHALL_CLOCK_BOUND to more.",
    )


async def sessions(of: ServiceUnderCheck) -> Finding:
    """No transaction is left open or goes on for long: it holds locks, and old rows cannot be cleared away."""
    rows = await of.database.fetch(SESSIONS)
    idle = [r for r in rows if (r["state"] or "").startswith("idle in transaction") and r["age"] > IDLE]
    long = [r for r in rows if r not in idle and r["age"] > LONG]
    if not idle and not long:
        return ok("sessions", of.name, "No transaction is idle or long.")
    words = [
        f"{r['application_name'] or 'somebody'} (pid {r['pid']}, {r['state']}, {r['age']:.0f} s)" for r in idle + long
    ]
    return warning(
        "sessions",
        of.name,
        f"Open transactions may hold up appends and keep old rows from being cleared: {places(words)}.",
        f"Find out who it is; end it with: select pg_terminate_backend({(idle + long)[0]['pid']})",
    )


async def connections(of: ServiceUnderCheck) -> Finding:
    """The server has connections left."""
    row = await of.database.fetchrow(CONNECTIONS)
    assert row is not None
    meaning = f"{row['used']} of the server's {row['most']} connections are in use."
    if row["used"] < row["most"] * FULL:
        return ok("connections", of.name, meaning)
    return warning(
        "connections",
        of.name,
        f"{meaning} When none is left, services answer 503 and the relay stands still.",
        "Raise max_connections of PostgreSQL, or lower GUILDHALL_DATABASE_CONNECTIONS or the number of processes.",
    )
