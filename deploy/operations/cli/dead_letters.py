"""`guildhall dead-letters`: commands of process managers that were given up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from rich.table import Table

from deploy.operations import dead_letters as letters
from deploy.operations.cli.console import ServiceName, configuration, console, fail, load, run_async
from shared.db import Driver, create_engine, driver

dead_letters = typer.Typer(
    name="dead-letters",
    help="Commands that follow from events and were given up: see why, and give them again once the cause is mended.",
    no_args_is_help=True,
)

Manager = Annotated[str | None, typer.Option("--manager", help="Only those of this process manager.")]
Id = Annotated[UUID, typer.Argument(metavar="ID", help="As listed.")]


@asynccontextmanager
async def _database(service: str) -> AsyncIterator[Driver]:
    found = load(service)
    if found.events is None:
        fail(f"{service} has no log, so no process managers either.")
    engine = create_engine(configuration(), service, connections=1)
    try:
        async with driver(engine) as connection:
            yield connection
    finally:
        await engine.dispose()


@dead_letters.command(name="list")
def list_letters(
    service: ServiceName,
    manager: Manager = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 100,
) -> None:
    """List what was given up, the oldest first. Example: `guildhall dead-letters list member`"""

    async def work() -> None:
        async with _database(service) as database:
            found = await letters.dead_letters(database, manager, limit=limit)
        table = Table("id", "process manager", "given up at", "tries", "reason")
        for each in found:
            at = each.dead_at.isoformat(timespec="seconds")
            table.add_row(str(each.id), each.manager, at, str(each.tries), each.reason)
        console.print(table if found else "There are no dead letters.")

    run_async(work())


@dead_letters.command(name="show")
def show(service: ServiceName, id_: Id) -> None:
    """Show one in full. Example: `guildhall dead-letters show member 0198c1c0-4e5f-7061-9b7c-8d9e0f1a2b3c`"""

    async def work() -> None:
        async with _database(service) as database:
            found = await letters.dead_letters(database, id_=id_)
        if not found:
            fail(f"{service} has no dead letter {id_}. `guildhall dead-letters list {service}` names them.")
        (each,) = found
        console.print(f"{each.manager}: {each.reason}", markup=False, highlight=False)
        console.print(f"for stream {each.target} in community {each.community}, because of event {each.cause}")
        console.print_json(msgspec.json.format(each.command).decode())

    run_async(work())


@dead_letters.command(name="replay")
def replay(
    service: ServiceName,
    id_: Annotated[UUID | None, typer.Argument(metavar="[ID]", help="Only this one.")] = None,
    manager: Manager = None,
) -> None:
    """Give them again, in their order; the worker carries them out. Safe at any time: one that was carried out before
    changes nothing.

    Examples: `guildhall dead-letters replay member` · `guildhall dead-letters replay member --manager "applications"`
    """

    async def work() -> None:
        async with _database(service) as database:
            given = await letters.give_again(database, manager, id_)
        if id_ is not None and not given:
            fail(f"{service} has no dead letter {id_}. `guildhall dead-letters list {service}` names them.")
        console.print(f"{given:,} given again. `guildhall dead-letters list {service}` shows what does not pass again.")

    run_async(work())
