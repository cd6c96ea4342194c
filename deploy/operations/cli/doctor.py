"""`guildhall doctor`: every promise of the running system checked once, each with what it means and what to do."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.text import Text

from deploy.operations.cli.console import ServiceNames, configuration, console, load_all, run_async
from deploy.operations.doctor import Diagnosis, examine
from deploy.operations.findings import State

SIGNS = {State.OK: ("ok", "green"), State.WARNING: ("warning", "yellow"), State.BROKEN: ("BROKEN", "bold red")}


def doctor(
    services: ServiceNames = None,
    full: Annotated[
        bool, typer.Option("--full", help="Count every position of the logs and read the topics whole.")
    ] = False,
    disk: Annotated[list[str] | None, typer.Option(help="A folder with data of PostgreSQL or Kafka, here.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what is not well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check every promise of the running system: ok, warning or broken, what it means, and what to do.

    Exit status 0 when all is well, 1 with a warning, 2 when something is broken. It changes nothing.

    Examples: `guildhall doctor` · `guildhall doctor content --full` · `guildhall doctor --quiet --disk /var/lib/kafka`
    · `guildhall doctor --json`
    """
    found = run_async(examine(configuration(), load_all(services), full=full, disks=disk or ()))
    if as_json:
        console.print_json(json.dumps(found.as_dict()))
    else:
        _show(found, quiet=quiet)
    if found.state:
        raise typer.Exit(int(found.state))


def _show(found: Diagnosis, *, quiet: bool) -> None:
    wide = max((len(finding.where) for finding in found.findings), default=0)
    for finding in found.findings:
        if quiet and finding.state is State.OK:
            continue
        sign, style = SIGNS[finding.state]
        line = Text.assemble((f"{sign:8}", style), f"{finding.where:{wide}}  {finding.check:14}  {finding.meaning}")
        console.print(line, soft_wrap=True, highlight=False)
        if finding.action:
            console.print(Text(f"{'':{wide + 10}}→ {finding.action}"), soft_wrap=True, highlight=False)
    for part in found.not_looked_at:
        console.print(f"not looked at: {part}", style="dim", markup=False, highlight=False, soft_wrap=True)
    counts = {state: sum(finding.state is state for finding in found.findings) for state in State}
    console.print(
        f"{len(found.findings)} checks: {counts[State.OK]} ok, {counts[State.WARNING]} warnings, "
        f"{counts[State.BROKEN]} broken",
        highlight=False,
    )
