"""The operator's commands for views: look at what is parked and replay it; rebuild a view beside the live one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.operations.cli.console import ServiceName, configuration, console, fail, load, run_async
from shared.db import create_engine
from shared.log.postgres import PostgresLog
from shared.projections import parked as parking
from shared.projections.checksums import Checksum
from shared.projections.parked_store import Parked
from shared.projections.read_model import ReadModel
from shared.projections.rebuild import Report, rebuild
from shared.projections.store_postgres import PostgresReadModelStore
from shared.service.service import Service
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.log_source import LogSource
from shared.subscription.source import Source

parked = typer.Typer(
    name="parked",
    help="What views could not fold: see it, and replay it once its cause is mended.",
    no_args_is_help=True,
)

ViewName = Annotated[str, typer.Argument(metavar="VIEW", help="Name of the view.")]
Where = Annotated[str, typer.Argument(metavar="POSITION", help="As listed: source/partition/position.")]


@asynccontextmanager
async def view_store(service: Service) -> AsyncIterator[PostgresReadModelStore]:
    """The store of a service's views; commands of its process managers are carried out by its worker."""
    async with AsyncExitStack() as stack:
        engine = create_engine(configuration(), service.name, connections=5)
        stack.push_async_callback(engine.dispose)
        store = PostgresReadModelStore(engine)
        stack.push_async_callback(store.close)
        yield store


def view_of(service: Service, name: str) -> ReadModel:
    found = next((view for view in service.views if view.name == name), None)
    if found is None:
        fail(f"{service.name} has no view {name!r}. It has: {', '.join(sorted(v.name for v in service.views))}.")
    return found


def _place(where: str) -> tuple[str, int, int]:
    """A position as `parked list` shows it; one of a note is below 1."""
    source, _, rest = where.partition("/")
    partition, _, position = rest.partition("/")
    try:
        return source, int(partition), int(position)
    except ValueError:
        fail(f"{where!r} is no position such as content/3/1045.")


@parked.command(name="list")
def list_parked(
    service: ServiceName,
    view: Annotated[str | None, typer.Option(help="Only of this view.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
) -> None:
    """List parked events with their reasons. Example: `guildhall parked list projection --view responses`"""

    async def work() -> None:
        async with view_store(load(service)) as store:
            found = await store.parked(view, limit=limit)
        table = Table("view", "position", "type", "parked at", "reason")
        for each in found:
            at = each.parked_at.isoformat(timespec="seconds") if each.parked_at else ""
            table.add_row(each.view, _shown(each), each.type or "", at, each.reason)
        console.print(table if found else "Nothing is parked.")

    run_async(work())


def _shown(each: Parked) -> str:
    return f"{each.source}/{each.partition}/{each.position}"


@parked.command(name="show")
def show_parked(service: ServiceName, view: ViewName, position: Where) -> None:
    """Show one parked event in full. Example: `guildhall parked show projection responses content/3/1045`"""

    async def work() -> None:
        async with view_store(load(service)) as store:
            found = await parking.show_parked(store, view, *_place(position))
        if found is None:
            fail(f"Nothing is parked at {position} for {view}.")
        console.print(f"{_shown(found)} of {view}: {found.reason}", markup=False, highlight=False)
        try:
            console.print_json(msgspec.json.format(found.value).decode())
        except (msgspec.DecodeError, UnicodeDecodeError):
            console.print(repr(found.value), markup=False, soft_wrap=True)

    run_async(work())


@parked.command(name="replay")
def replay(
    service: ServiceName,
    view: ViewName,
    stream: Annotated[UUID | None, typer.Option(help="Only this stream's events.")] = None,
) -> None:
    """Fold parked events again, stream by stream in order. Safe at any time, while the service runs too.

    Example: `guildhall parked replay projection responses`
    """

    async def work() -> None:
        found = load(service)
        async with view_store(found) as store:
            result = await parking.replay(store, view_of(found, view), stream)
        console.print(f"{result.folded} folded, {result.kept} still parked")
        if result.kept:
            raise typer.Exit(1)

    run_async(work())


@parked.command(name="dismiss")
def dismiss(service: ServiceName, view: ViewName, position: Where) -> None:
    """Take away the note about a stray record that was no event of ours. An event cannot be dismissed.

    Example: `guildhall parked dismiss projection responses content/3/-18`
    """

    async def work() -> None:
        async with view_store(load(service)) as store:
            gone = await parking.dismiss(store, view, *_place(position))
        if not gone:
            fail(f"There is no note at {position} for {view}; events can only be replayed.")
        console.print("The note is gone.")

    run_async(work())


def rebuild_view(
    service: ServiceName,
    view: ViewName,
    accept_difference: Annotated[
        bool, typer.Option("--accept-difference", help="Take over though it differs: after a fold was corrected.")
    ] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Compare, and leave the live view as it is.")] = False,
) -> None:
    """Rebuild a view from the first event, compare it with the live one, and have it take over if they are equal.

    Reads and writes go on meanwhile. Examples: `guildhall rebuild content threads` ·
    `guildhall rebuild projection responses --check`
    """

    async def work() -> Report:
        found = load(service)
        async with sources_of(found, view_of(found, view)) as (engine, sources):
            with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console) as bar:
                task = bar.add_task(view, total=None)
                return await rebuild(
                    view_of(found, view),
                    engine,
                    sources,
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                    accept_difference=accept_difference,
                    take_over=not check_only,
                )

    report = run_async(work())
    table = Table("table", "live", "rebuilt", "rows that differ")
    for each in report.tables:
        table.add_row(each.table, _sum(each.live), _sum(each.rebuilt), str(each.different))
    console.print(table)
    console.print(
        f"{'Equal' if report.equal else 'Different'}; {report.parked} parked; "
        f"{'the rebuilt view has taken over' if report.taken_over else 'the live view stays'}; {report.seconds:.1f} s"
    )
    if not (report.equal or report.taken_over):
        raise typer.Exit(1)


def _sum(of: Checksum) -> str:
    return f"{of.rows} rows, {of.digest[:16]}"


@asynccontextmanager
async def sources_of(
    service: Service, view: ReadModel
) -> AsyncIterator[tuple[AsyncEngine, Callable[[], Sequence[Source]]]]:
    """An engine of its own, and new sources of everything a view reads, at each call."""
    settings = configuration()
    engine = create_engine(settings, service.name)
    log = PostgresLog(engine, service.name, settings.partitions)

    def sources() -> Sequence[Source]:
        return [LogSource(log) if name == service.name else KafkaSource(settings, name) for name in view.sources]

    try:
        yield engine, sources
    finally:
        await log.close()
        await engine.dispose()
