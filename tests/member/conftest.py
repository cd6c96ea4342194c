"""The member service, running, with a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.member.app import SERVICE
from tests.conftest import FreshDatabase
from tests.member.running import Api, running


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One service and one database for a module's tests; each test founds communities of its own."""
    async with (
        fresh_database(SERVICE.metadata) as settings,
        running(SERVICE, settings, tmp_path_factory.mktemp("home")) as api,
    ):
        yield api
