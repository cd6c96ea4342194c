"""What the operator's commands share: finding a service, reading the settings, saying in one line what is wrong."""

from __future__ import annotations

import asyncio
import importlib
import logging
import pkgutil
import sys
from collections.abc import Coroutine, Iterable
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console

from shared.db import FAILED
from shared.events.errors import Problem
from shared.kafka.topics import TopicProblem
from shared.service.migrate import MigrationProblem
from shared.service.service import Service
from shared.settings import Settings, settings

T = TypeVar("T")

# What goes into a file or another program is not cut to the width of a terminal that is not there.
console = Console(width=None if sys.stdout.isatty() else 200)
errors = Console(stderr=True)

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="member, content, engagement, feedback …")]
ServiceNames = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]…", help="One or several; all where none is named.")
]


def fail(message: str) -> NoReturn:
    """Say what is wrong on standard error, and end with status 1."""
    errors.print(message, style="red", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; what is known to go wrong becomes one clear message."""
    library = logging.getLogger("aiokafka")
    level = library.level
    library.setLevel(logging.CRITICAL)  # what it has to say is said better by the message
    try:
        return asyncio.run(work)
    except (MigrationProblem, TopicProblem) as problem:
        fail(str(problem))
    except Problem as problem:
        fail(problem.detail)
    except FAILED as error:
        fail(f"The database or the broker does not answer: {error}")
    finally:
        library.setLevel(level)


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
