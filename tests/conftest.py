"""What every test may ask for: real PostgreSQL and Kafka, and a database of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import hypothesis
import pytest
import sqlalchemy as sa
import structlog

from shared.settings import Settings
from tests import databases
from tests.stack import Stack, stack_session

# How long examples take says something of the machine, which others use too, and nothing of the code.
hypothesis.settings.register_profile(
    "guildhall", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("guildhall")

# As the services do: structlog's own way shows what all variables hold, which takes seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    """Let only the tests' own processes be measured.

    What they start would be up to three times as slow, and what is killed leaves its figures half written. A process
    that starts workers keeps its environment, which has them measured.
    """
    if not config.getoption("numprocesses", None):
        for name in [each for each in os.environ if each.startswith("COVERAGE")]:
            del os.environ[name]


FreshDatabase = Callable[[sa.MetaData], AbstractAsyncContextManager[Settings]]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """PostgreSQL and Kafka for the whole session: given by the environment, by Docker, or embedded."""
    with stack_session() as running:
        yield running


@pytest.fixture(scope="session")
def fresh_database(stack: Stack) -> FreshDatabase:
    """`async with fresh_database(metadata) as settings`: a new database with those tables."""
    return partial(databases.fresh_database, stack)
