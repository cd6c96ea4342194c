"""What every test may ask for: real PostgreSQL and Kafka, and a database of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import hypothesis
import pytest
import sqlalchemy as sa
import structlog

from shared.settings import Settings
from tests import databases, lanes
from tests.stack import Stack, stack_session

# How long examples take says something of the machine, which others use too, and nothing of the code.
hypothesis.settings.register_profile(
    "guildhall", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("guildhall")
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("guildhall"), max_examples=20)

# As the services do: structlog's own way shows what all variables hold, which takes seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only what needs no server (tests/lanes.py)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = lanes.in_order(items)
    if config.getoption("quick"):
        slow = [item for item in items if not lanes.is_quick(lanes.fixtures_of(item))]
        items[:] = [item for item in items if lanes.is_quick(lanes.fixtures_of(item))]
        config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    lanes.measure_what_counts(item)
    with lanes.only_what_was_asked_for(item.nodeid, lanes.fixtures_of(item)):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    with lanes.only_what_was_asked_for(item.nodeid, lanes.fixtures_of(item)):
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Let only the tests' own processes be measured.

    What they start would be up to three times as slow, and what is killed leaves its figures half written. A process
    that starts workers keeps its environment, which has them measured.
    """
    if config.getoption("quick"):
        hypothesis.settings.load_profile("quick")
    if not config.getoption("numprocesses", None):
        for name in [each for each in os.environ if each.startswith("COVERAGE")]:
            del os.environ[name]


@pytest.fixture(scope="session")
def servers() -> None:
    """Whoever starts a server or another process asks for this; to others it is refused (tests/lanes.py)."""


@pytest.fixture(scope="session")
def seconds() -> None:
    """Whoever works for seconds without a server asks for this, and is not in `make quick`."""


FreshDatabase = Callable[[sa.MetaData], AbstractAsyncContextManager[Settings]]


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """PostgreSQL and Kafka for the whole session: given by the environment, by Docker, or embedded."""
    assert not request.config.getoption("quick"), "`make quick` starts no server"
    # Nobody pulls the plug of this server, and a busy disk is no subject of a test; what is killed has one of its own.
    with stack_session({"fsync": "off"}) as running:
        yield running


@pytest.fixture(scope="session")
def fresh_database(stack: Stack) -> FreshDatabase:
    """`async with fresh_database(metadata) as settings`: a new database with those tables."""
    return partial(databases.fresh_database, stack)
