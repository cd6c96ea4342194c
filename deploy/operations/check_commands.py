"""The commands of process managers: none was given up, none that is due waits."""

from __future__ import annotations

from deploy.operations.findings import Finding, broken, ok, places
from deploy.operations.service_under_check import ServiceUnderCheck
from shared.processes.dispatcher import WAITING

OVERDUE = 60.0
"""Seconds a command may be due before that is said; one that fails is given up within about half of it."""


async def commands(of: ServiceUnderCheck) -> Finding:
    """What follows from events was carried out."""
    check = "commands"
    rows = await of.database.fetch(WAITING)
    if dead := [row for row in rows if row["dead"]]:
        words = places([f"{row['dead']} of {row['manager']}" for row in dead])
        return broken(
            check,
            of.name,
            f"Commands that follow from events were given up: {words}.",
            f"See why: guildhall dead-letters list {of.name}. Once the cause is mended: "
            f"guildhall dead-letters replay {of.name}",
        )
    if late := [row for row in rows if (row["overdue"] or 0.0) > OVERDUE]:
        words = places([f"{row['manager']} for {row['overdue']:.0f} s" for row in late])
        return broken(
            check,
            of.name,
            f"Commands that are due are not carried out: {words}.",
            f"The worker does it: look at `leases`, `service` and `sessions`, and at `guildhall logs {of.name}`.",
        )
    return ok(check, of.name, "No command was given up, none that is due waits.")
