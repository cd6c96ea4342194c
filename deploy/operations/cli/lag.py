"""`guildhall lag`: how far relay and views are behind every log, for people, for programs, and as an exit status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from time import sleep
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table

from deploy.operations.cli.console import configuration, console, errors, fail, load_all, run_async, service_names
from deploy.operations.databases import databases
from deploy.operations.lag import RELAY, Lag, ServiceLag, measure
from deploy.operations.topics import topics
from shared.kafka.topics import BrokerAway
from shared.service.service import Service
from shared.settings import Settings

BEHIND, MISSING = 1, 2
"""Exit statuses: more behind than was allowed; something did not answer."""


def lag(
    service: Annotated[list[str] | None, typer.Option(help="Only this service's log; may be repeated.")] = None,
    view: Annotated[list[str] | None, typer.Option(help="Only this view, `name` or `service.name`.")] = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="A line for each partition.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs; with --watch one line each time.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    fail_above: Annotated[
        int | None, typer.Option(min=0, help="Exit status 1 where a reader lacks more events than this.")
    ] = None,
    fail_after: Annotated[
        float | None, typer.Option(min=0, help="Exit status 1 where a reader lacks something for more seconds.")
    ] = None,
) -> None:
    """How far behind the logs the relays and the views are, in events and in seconds.

    Exit status 0; 1 where --fail-above or --fail-after is exceeded; 2 where a database or the broker does not answer.

    Examples: `guildhall lag` · `guildhall lag --service content --partitions` ·
    `guildhall lag --view projection.actions --watch` · `guildhall lag --json --fail-above 1000`
    """
    settings = configuration()
    services = load_all(None)
    for name in service or ():
        if name not in service_names():
            fail(f"There is no service {name!r}. There are: {', '.join(service_names())}.")
    known = {v.name for each in services for v in each.views} | {
        f"{s.name}.{v.name}" for s in services for v in s.views
    }
    for name in view or ():
        if name not in known:
            fail(f"There is no view {name!r}. There are: {', '.join(sorted(n for n in known if '.' in n))}.")

    def look() -> Lag:
        return run_async(_look(settings, services, service or (), view or ()))

    if watch:
        _watch(look, every, partitions=partitions, as_json=as_json)
        return
    found = look()
    if as_json:
        console.print_json(json.dumps(_dated(found)))
    else:
        console.print(table(found, partitions=partitions))
    for problem in found.missing:
        errors.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    if found.missing:
        raise typer.Exit(MISSING)
    late = found.above(fail_above, fail_after)
    for stage in late:
        errors.print(f"{stage.reader} lacks {stage.events} events, the oldest for {stage.age} s.", style="red")
    if late:
        raise typer.Exit(BEHIND)


async def _look(settings: Settings, services: Sequence[Service], only: Sequence[str], views: Sequence[str]) -> Lag:
    async def broker() -> str | None:
        try:
            async with topics(settings, ()):
                return None
        except BrokerAway as error:
            return f"{error} What is relayed and folded is told as the databases have it."

    async with databases(settings, services) as opened:
        found, away = await asyncio.gather(
            measure(opened, services, settings.partitions, only=only, views=views), broker()
        )
    if away is not None:
        found.missing.append(away)
    return found


def _watch(look: Callable[[], Lag], every: float, *, partitions: bool, as_json: bool) -> None:
    try:
        if as_json:
            while True:
                typer.echo(json.dumps(_dated(look())))
                sleep(every)
        with Live(console=console, auto_refresh=False) as live:
            while True:
                found = look()
                at = datetime.now().astimezone().isoformat(timespec="seconds")
                live.update(Group(table(found, partitions=partitions), *found.missing, at), refresh=True)
                sleep(every)
    except KeyboardInterrupt:
        return


def _dated(found: Lag) -> dict[str, object]:
    return {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **found.as_dict()}


def table(found: Lag, *, partitions: bool) -> Table:
    """A line for each reader of each log; or one for each partition, with the reader that is furthest behind."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    names = ("service", "partition", "log", "relayed", "slowest view") if partitions else ("service", "reader", "log")
    for name in names:
        shown.add_column(name, justify="left" if name in ("service", "reader", "slowest view") else "right")
    for name in ("reached", "behind", "seconds", *(() if partitions else ("complete until",))):
        shown.add_column(name, justify="right")
    for service in found.services:
        for row in _partitions(service) if partitions else _totals(service):
            shown.add_row(*row)
    return shown


def _totals(service: ServiceLag) -> Iterator[Sequence[str]]:
    for stage in service.stages:
        yield (
            service.service, stage.reader, _number(service.events), _number(sum(stage.positions)),
            _number(stage.events), _seconds(stage.age), _moment(stage.complete_until),
        )  # fmt: skip
    if not service.stages:
        yield service.service, "–", _number(service.events), "–", "–", "–", "–"


def _moment(at: datetime | None) -> str:
    return "–" if at is None else at.astimezone().isoformat(sep=" ", timespec="milliseconds")


def _partitions(service: ServiceLag) -> Iterator[Sequence[str]]:
    relay = next((stage for stage in service.stages if stage.reader == RELAY), None)
    views = [stage for stage in service.stages if stage.reader != RELAY]
    for partition, head in enumerate(service.log or ()):
        relayed = relay.positions[partition] if relay is not None else None
        slowest = max(views, key=lambda stage: (stage.behind[partition], stage.seconds[partition]), default=None)
        last = ("–",) * 4
        if slowest is not None:
            last = (
                slowest.reader, _number(slowest.positions[partition]), _number(slowest.behind[partition]),
                _seconds(max(stage.seconds[partition] for stage in service.stages)),
            )  # fmt: skip
        yield service.service, str(partition), _number(head), _number(relayed), *last


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"
