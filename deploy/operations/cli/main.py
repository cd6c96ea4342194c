"""The operator's commands for the services: each does one thing and says in one line what was wrong if it cannot."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deploy.operations.cli import views as cli_views
from deploy.operations.cli.console import ServiceName, ServiceNames, configuration, console, load, load_all, run_async
from deploy.operations.cli.dead_letters import dead_letters
from deploy.operations.cli.doctor import doctor
from deploy.operations.cli.erase import erase
from deploy.operations.cli.lag import lag
from deploy.operations.cli.recover import recover
from deploy.operations.rights import hand_out
from shared.kafka.topics import ensure_topics
from shared.service.migrate import check, migrate, revise
from shared.service.service import Only

app = typer.Typer(
    name="guildhall",
    help="Runs and looks after the services of Guildhall.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cli_views.parked)
app.add_typer(dead_letters)
app.command(name="rebuild")(cli_views.rebuild_view)
app.command(name="lag")(lag)
app.command(name="doctor")(doctor)
app.command(name="recover")(recover)
app.command(name="erase")(erase)


@app.command(name="run")
def run_service(
    service: ServiceName,
    only: Annotated[Only | None, typer.Option(help="Only the API, or only the worker.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Run a service: its API and its worker, or one of them.

    Examples: `guildhall run content` · `guildhall run content --only api --port 8001`
    """
    from shared.service.serve import serve  # here, so that other commands do not pay for it

    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    sys.exit(serve(load(service), configuration().model_copy(update=given), only=only))


@app.command(name="migrate")
def migrate_services(
    services: ServiceNames = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the database.")] = 0.0,
) -> None:
    """Bring the databases of services to their newest schema, with a row for each partition of the log.

    Examples: `guildhall migrate` · `guildhall migrate member --wait 30`
    """
    for service in load_all(services):
        run_async(migrate(service, configuration(), wait=wait))
        console.print(f"{service.name}: at the newest schema")


@app.command(name="check-migrations")
def check_migrations(services: ServiceNames = None) -> None:
    """Check that the newest migration of each service makes the schema its code declares.

    It works in a database made for this and dropped afterwards. Example: `guildhall check-migrations`
    """
    for service in load_all(services):
        run_async(check(service, configuration()))
        console.print(f"{service.name}: migrations and code agree")


@app.command(name="revision")
def write_revision(
    service: ServiceName,
    message: Annotated[str, typer.Option("--message", "-m", help="What changes, in a few words.")],
) -> None:
    """Write the migration from the newest one to what the code declares (for developers).

    Example: `guildhall revision content -m "threads have a language"`
    """
    for path in run_async(revise(load(service), configuration(), message)):
        console.print(str(path), soft_wrap=True, highlight=False)


@app.command()
def topics(
    services: ServiceNames = None,
    acls: Annotated[
        bool, typer.Option("--acls", help="Also have the broker allow each service just what it declares.")
    ] = False,
) -> None:
    """Make the Kafka topics that are missing and check those that are there.

    With `--acls` a service may read what it subscribes to, its relay alone may write its topic, and what nothing
    declares is taken away; for that one signs in as who may alter rights (`guildhall-admin`).

    Examples: `guildhall topics` · `guildhall topics member content` · `guildhall topics --acls`
    """
    owners = [service.name for service in load_all(services) if service.events is not None]
    made = run_async(ensure_topics(configuration(), owners))
    for name in made:
        console.print(f"{name}: made")
    console.print(f"{len(owners)} topics are as they should be")
    if acls:
        added, removed = run_async(hand_out(configuration(), load_all(None)))
        for sign, changed in (("+", added), ("-", removed)):
            for right in sorted(changed):
                name = f"{right.name}{'*' if right.prefixed else ''}"
                console.print(f"{sign} {right.principal}: {right.operation} {right.resource} {name}", highlight=False)
        console.print("rights are as they should be")
