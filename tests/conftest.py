"""What every test may ask for: real PostgreSQL and Kafka, and a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import sqlalchemy as sa

from shared.settings import Settings
from tests import databases
from tests.stack import Stack, stack_session

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
