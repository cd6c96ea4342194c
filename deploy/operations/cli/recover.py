"""`guildhall recover`: put back into a log what its topic still has."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from deploy.operations.cli.console import ServiceName, configuration, console, fail, load, run_async
from deploy.operations.databases import databases
from deploy.operations.recover import CannotRecover, Missing, missing, put_back
from deploy.operations.topics import topics
from shared.events.envelope import to_wire
from shared.events.event import Recorded
from shared.service.service import Service
from shared.settings import Settings


def recover(
    service: ServiceName,
    *,
    look: Annotated[bool, typer.Option("--look", help="Only say what the log lacks.")] = False,
    set_aside: Annotated[
        Path | None,
        typer.Option(help="A new file for events that the log has where the topic has others, one JSON a line."),
    ] = None,
) -> None:
    """Put back into the log of a service what it lost and its topic still has, as after a restore from a backup.

    Every event gets the position and the id that it had, and each reader has it under these already. Until it is done
    the service writes nothing. Examples: `guildhall recover content --look` · `guildhall recover content`
    """
    found = load(service)
    if found.events is None:
        fail(f"{service} has no log: what it has is rebuilt from topics, see `guildhall rebuild`.")
    run_async(_recover(configuration(), found, look=look, set_aside=set_aside))


async def _recover(settings: Settings, declared: Service, *, look: bool, set_aside: Path | None) -> None:
    service = declared.name
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(topics(settings, [service]))
        if service not in broker.there:
            fail(f"{service} has no topic to recover from.")
        opened = await stack.enter_async_context(databases(settings, [declared], statement=600.0))
        if (log := opened.open.get(service)) is None:
            fail(opened.away[service])
        try:
            with console.status(f"Comparing the log of {service} with its topic from their ends on"):
                lacking = await missing(broker, service, log)
            if not lacking:
                console.print(f"The log of {service} has everything that its topic has.")
                return
            console.print(_table(lacking))
            if look:
                console.print(f"Nothing was changed. `guildhall recover {service}` puts it back.")
                return
            keep = None
            if set_aside is not None and any(each.others for each in lacking):
                file = stack.enter_context(set_aside.open("xb"))

                def keep(event: Recorded) -> None:
                    file.write(to_wire(event) + b"\n")

            done = await put_back(log, service, lacking, declared.own_read_models, keep, declared.claiming)
        except CannotRecover as problem:
            fail(str(problem))
        except FileExistsError:
            fail(f"{set_aside} is there already. Name a new file.")
    console.print(
        f"{done.events:,} events are back, recorded from {done.first:%Y-%m-%d %H:%M:%S} to {done.last:%H:%M:%S %Z}. "
        f"The relay compares once more, and {service} writes again."
    )
    if done.views:
        console.print(
            f"Views that had read what was set aside fill themselves again, and say meanwhile that they are behind: "
            f"{', '.join(done.views)}."
        )
    for (_, claim), streams in done.disputed.items():
        console.print(
            f"{len(streams)} streams have the {claim.scope} {claim.key!r} now: {', '.join(map(str, streams))}. Nobody "
            "else gets it until all of them but one were given another.",
            markup=False,
        )
    if done.words:
        console.print(f"{done.words:,} texts that they refer to are in no backup and no topic: these stay empty.")


def _table(lacking: list[Missing]) -> Table:
    table = Table("partition", "both have up to", "only the topic has", "the log has instead")
    for each in lacking:
        table.add_row(str(each.partition), f"{each.common:,}", f"{len(each.events):,}", f"{len(each.others):,}")
    return table
