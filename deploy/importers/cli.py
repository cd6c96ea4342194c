"""`guildhall import stackexchange`: the command line; what can be foreseen is told without a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from deploy.importers.answers import Answer
from deploy.importers.client import Guildhall, ImportStopped
from deploy.importers.dump import Dump, DumpError
from deploy.importers.report import ImportReport
from deploy.importers.sites import NAME
from deploy.importers.stackexchange import Line, Told
from deploy.importers.transfer import Witness, import_dump
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.ownership import create
from deploy.local.problems import LocalError
from deploy.terminal import MESSAGE, printable

MAPPED = ("member", "thread", "reply", "comment")
INTERRUPTED = 130

app = typer.Typer(help="Bring a community in from elsewhere.", no_args_is_help=True)


@app.callback()
def importers() -> None:
    """Bring a community in from elsewhere."""


EXAMPLES = (
    'Examples: guildhall import stackexchange ~/dumps/cooking --community cooking --name "Seasoned Advice" · '
    "a later dump of the same site: the same command once more · "
    "a second site into the same community: … ~/dumps/baking --community cooking --site baking · "
    "with a record of what became of each row: … --map rows.csv --rejected refused.ndjson"
)


@app.command(epilog=EXAMPLES)
def stackexchange(
    folder: Annotated[
        Path, typer.Argument(help="Folder with Users.xml and Posts.xml, and Comments.xml and Votes.xml; or with .gz.")
    ],
    community: Annotated[str, typer.Option(help="Slug of the community; it is founded if it is missing.")],
    name: Annotated[str | None, typer.Option(help="Its name, when it is founded; the slug without it.")] = None,
    language: Annotated[str, typer.Option(help="Its language, when it is founded.")] = "en",
    site: Annotated[
        str | None,
        typer.Option(help="Name of the site, each time the same; found out from the dump without it."),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="Write which row became which member, thread, reply or comment (CSV).")
    ] = None,
    rejected: Annotated[Path | None, typer.Option(help="Write the rows that were refused, and why (NDJSON).")] = None,
    origin: Annotated[
        str | None, typer.Option(envvar="GUILDHALL_ORIGIN", help="Where Guildhall is; else the local system.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="GUILDHALL_TOKEN", help="An access token; else the local operator's.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="State folder of the local system.")] = None,
) -> None:
    """Import a Stack Exchange dump. Safe to interrupt and to repeat: what is there already changes nothing."""
    console, errors = Console(emoji=False), Console(stderr=True, emoji=False)
    try:
        site, dump, state = _checked(site), Dump.at(folder), Home.at(home)
        target = _target(origin, token, state)
        with _witnesses(map_file, rejected) as witness, _bars(console) as progress:
            report = asyncio.run(_run(dump, target, community, name or community, language, site, progress, witness))
    except LocalError as error:
        errors.print(str(error), markup=False, soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    except (DumpError, ImportStopped) as error:
        errors.print(printable(str(error), MESSAGE), markup=False, soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    except sqlite3.Error as error:
        errors.print(f"The temporary file of the import cannot be kept: {error}.", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        errors.print("Interrupted. What was sent stays; run the same command again and it goes on to the same end.")
        raise typer.Exit(INTERRUPTED) from None
    report.show(console)
    raise typer.Exit(1 if report.rejected else 0)


async def _run(
    dump: Dump,
    target: Guildhall,
    community: str,
    name: str,
    language: str,
    site: str | None,
    progress: Told,
    witness: Witness,
) -> ImportReport:
    async with target as guildhall:
        return await import_dump(
            dump, guildhall, community, name=name, language=language, site=site, progress=progress, witness=witness
        )


def _checked(site: str | None) -> str | None:
    """A site's name as it stands in ids. Raises `ImportStopped`."""
    if site is None or NAME.fullmatch(site.lower()):
        return site and site.lower()
    raise ImportStopped(f"--site {site}: a site's name has up to 63 letters a-z, digits, dots and hyphens.")


def _target(origin: str | None, token: str | None, home: Home) -> Guildhall:
    """The local system with its operator's token, or another with the token for it. Raises `ImportStopped`."""
    if token is None and origin is not None and origin.rstrip("/") != (here := local_origin(home)):
        raise ImportStopped(
            f"{origin} is not the local system, which is {here}. Its operator's token is sent nowhere else: "
            "give one for there with --token or GUILDHALL_TOKEN."
        )
    return Guildhall(origin or local_origin(home), token or local_token(home))


def local_origin(home: Home) -> str:
    """The origin of the local system. Raises `ImportStopped` when none runs."""
    port = home.read("ports.json").get("origin")
    if port is None or not home.is_locked():
        raise ImportStopped(
            f"No local system runs on {home.root}. Start one with `guildhall up`, or name a Guildhall with --origin."
        )
    return f"http://127.0.0.1:{port}"


def local_token(home: Home) -> str:
    """A token of the local operator. Raises `ImportStopped` where there is no local system to mint it."""
    if not home.root.is_dir():
        raise ImportStopped(f"There is no state folder {home.root} to take a token from. Give one with --token.")
    return Issuer(home.open()).mint()


@contextlib.contextmanager
def _bars(console: Console) -> Iterator[Told]:
    """One bar per activity."""
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>10}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def told(activity: str, done: int, total: int | None) -> None:
            if activity not in tasks:
                tasks[activity] = bars.add_task(activity, total=total, rate="")
            task = tasks[activity]
            bars.update(task, completed=done, total=total)
            elapsed = bars.tasks[bars.task_ids.index(task)].elapsed
            bars.update(task, rate=f"{done / elapsed:,.0f}/s" if elapsed and done else "")

        yield told


@contextlib.contextmanager
def _witnesses(map_file: Path | None, rejected: Path | None) -> Iterator[Witness]:
    """Write the files that were asked for, line by line as the answers come."""
    with contextlib.ExitStack() as files:
        rows = csv.writer(files.enter_context(_created(map_file))) if map_file else None
        refused = files.enter_context(_created(rejected)) if rejected else None
        if rows:
            rows.writerow(("table", "row", "kind", "id"))

        def told(line: Line, answer: Answer) -> None:
            if rows and line.kind in MAPPED and answer.status != "rejected":
                became = answer.member if line.kind == "member" else answer.id
                rows.writerow((line.table, line.row, line.kind, became))
            if refused and answer.status == "rejected":
                problem = msgspec.to_builtins(answer.problem)
                row = {"table": line.table, "row": line.row, "command": line.command, "problem": problem}
                refused.write(printable(json.dumps(row, ensure_ascii=False), None) + "\n")

        yield told


def _created(path: Path) -> TextIO:
    try:
        return create(path)  # it tells whose member is whose: for its owner alone
    except OSError as error:
        raise ImportStopped(f"{path} cannot be written: {error.strerror}.") from error
    except LocalError as error:
        raise ImportStopped(f"{error.what} It is not written to.") from error
