"""The command `guildhall`: the kernel's commands, the local system's, and the importers', on one entry point."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.home import Home
from deploy.local.problems import LocalError, from_os_error
from deploy.local.service import SERVICES

app = typer.Typer(
    help="Guildhall, the event-sourced backend of a community-operations platform.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

HomeOption = Annotated[Path | None, typer.Option("--home", help="State folder; GUILDHALL_HOME, else .guildhall here.")]


def guarded(home: Home, act: Callable[[], int | None]) -> None:
    """Run a command; what can be foreseen is told without a traceback, and the exit code is not zero."""
    try:
        code = act()
    except LocalError as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:
        Console(stderr=True).print(str(from_os_error(error, home.root)), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code or 0)


@app.command(epilog="Examples: guildhall up · guildhall up --detach --port 18000 · guildhall up --no-demo")
def up(
    home: HomeOption = None,
    port: Annotated[int, typer.Option(help="Port of the one origin.", min=1, max=65535)] = 8000,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Bring the sample community in.")] = True,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background when all is ready.")] = False,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start everything: PostgreSQL, Kafka, the five services, one origin, a sample community."""
    from deploy.local import session  # here, so that `guildhall run` does not pay for it
    from deploy.local.progress import Terminal

    state = Home.at(home)

    def act() -> int | None:
        console = Terminal()
        if session.already_running(state, console):
            return 0
        if detach:
            return session.detach(state, port, demo=demo)
        session.run(state, port, console, demo=demo, ready_fd=ready_fd)
        return 0

    guarded(state, act)


@app.command(epilog="Example: guildhall down --home /var/tmp/guildhall")
def down(home: HomeOption = None) -> None:
    """Stop everything; the state stays."""
    from deploy.local import session

    state = Home.at(home)
    guarded(state, lambda: session.down(state, Console()))


@app.command(epilog="Examples: guildhall status · guildhall status --json | python3 -m json.tool")
def status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Every process and how far every service is. Exit code 3 when nothing runs."""
    from deploy.local import status as report

    state = Home.at(home)

    def act() -> int:
        found = report.collect(state)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            report.show(Console(), found)
        return 0 if found["running"] else 3

    guarded(state, act)


@app.command(epilog="Examples: guildhall logs content · guildhall logs projection --follow --lines 200")
def logs(
    service: Annotated[str, typer.Argument(help=f"{', '.join(SERVICES)}, postgres, kafka, gateway, supervisor.")],
    home: HomeOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = 50,
) -> None:
    """The log of one process."""
    from deploy.local import logs as reader

    state = Home.at(home)
    guarded(state, lambda: reader.show(state, service, lines, follow=follow))


@app.command(epilog="Examples: guildhall token · guildhall token --subject alice --lifetime 30m")
def token(
    home: HomeOption = None,
    subject: Annotated[str, typer.Option(help="Who the token speaks for.")] = "operator",
    scope: Annotated[str | None, typer.Option(help="Permissions, separated by spaces.")] = None,
    lifetime: Annotated[str, typer.Option(help="Seconds, or with a unit: 90s, 30m, 12h, 7d.")] = "12h",
) -> None:
    """Print an access token of the local issuer, alone."""
    from deploy.local.issuer import Issuer, seconds

    state = Home.at(home)

    def act() -> None:
        typer.echo(Issuer(state.open()).mint(subject, scope, seconds(lifetime)))

    guarded(state, act)


@app.command(epilog="Examples: guildhall issuer · guildhall issuer --publish /srv/keys/jwks.json")
def issuer(
    home: HomeOption = None,
    publish: Annotated[
        Path | None, typer.Option(help="The file to write, where services need not see the key.")
    ] = None,
) -> None:
    """Make the local issuer's key where there is none, and write its public half for the services (jwks.json)."""
    from deploy.local.issuer import Issuer

    state = Home.at(home)

    def act() -> None:
        typer.echo(Issuer(state.open()).write_jwks(publish))

    guarded(state, act)


OWN = ("up", "down", "status", "logs", "token", "issuer")


def settle() -> None:
    """Point the kernel's commands at the local system, where one runs here and the environment names no other."""
    home = Home.at(None)
    if "GUILDHALL_DATABASE_URL" in os.environ or not home.root.is_dir():
        return
    with contextlib.suppress(LocalError, OSError):  # a folder that is somebody else's points us nowhere
        if not home.is_locked():
            return
        from deploy.local.system import running_settings

        for name, value in running_settings(home).items():
            os.environ.setdefault(name, value)


def mount(word: str) -> None:
    """Load what a command needs and no more: `down` must work, and at once, whatever the services' code does."""
    if word in OWN:
        return
    if word in ("import", "", "--help"):
        from deploy.importers.cli import app as importers

        app.add_typer(importers, name="import", help="Bring a community in from elsewhere.")
    if word != "import":
        settle()
        from deploy.operations.cli.main import app as kernel

        app.registered_commands += kernel.registered_commands
        app.registered_groups += kernel.registered_groups


def main() -> None:
    """The entry point."""
    mount(sys.argv[1] if len(sys.argv) > 1 else "")
    app()


if __name__ == "__main__":
    main()
