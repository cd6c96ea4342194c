"""The operator's commands for the services: each does one thing and says in one line what was wrong if it cannot."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys
from collections.abc import Coroutine, Iterable
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from shared.errors import Problem
from shared.migrate import MigrationProblem, check, migrate, revise
from shared.service import Service
from shared.settings import Settings, settings
from shared.topics import TopicProblem, ensure_topics

T = TypeVar("T")

app = typer.Typer(
    name="guildhall",
    help="Runs and looks after the services of Guildhall.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console()
_errors = Console(stderr=True)

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="member, content, engagement, feedback …")]
ServiceNames = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]…", help="One or several; all where none is named.")
]


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error, and end with status 1."""
    _errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what is known to go wrong becomes one clear message."""
    try:
        return asyncio.run(work)
    except (MigrationProblem, TopicProblem) as problem:
        fail(str(problem))
    except Problem as problem:
        fail(problem.detail)
    except OSError as error:
        fail(f"No connection: {error}")


def configuration() -> Settings:
    """The settings, or one message that names what is wrong with them."""
    try:
        return settings()
    except ValidationError as error:
        wrong = "; ".join(f"GUILDHALL_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        fail(f"The settings are not usable. {wrong}")


def service_names() -> list[str]:
    """The services that this installation has, by the folders in `services`."""
    package = importlib.import_module("services")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def load(name: str) -> Service:
    """The service's declaration, `SERVICE` in its app.py."""
    if name not in service_names():
        fail(f"There is no service {name!r}. There are: {', '.join(service_names())}.")
    found = importlib.import_module(f"services.{name}.app").SERVICE
    assert isinstance(found, Service)
    return found


def load_all(names: Iterable[str] | None) -> list[Service]:
    return [load(name) for name in (names or service_names())]


@app.command(name="run")
def run_service(
    service: ServiceName,
    only: Annotated[str | None, typer.Option(metavar="api|worker", help="Only the API, or only the worker.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
) -> None:
    """Run a service: its API and its worker, or one of them.

    Examples: `guildhall run content` · `guildhall run content --only api --port 8001`
    """
    from shared.serve import serve

    if only not in (None, "api", "worker"):
        fail("--only is api or worker.")
    part: Literal["api", "worker"] | None = "api" if only == "api" else "worker" if only == "worker" else None
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    sys.exit(serve(load(service), configuration().model_copy(update=given), only=part))


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
def topics(services: ServiceNames = None) -> None:
    """Make the Kafka topics that are missing and check those that are there.

    Examples: `guildhall topics` · `guildhall topics member content`
    """
    owners = [service.name for service in load_all(services) if service.events is not None]
    made = run_async(ensure_topics(configuration(), owners))
    for name in made:
        console.print(f"{name}: made")
    console.print(f"{len(owners)} topics are as they should be")
