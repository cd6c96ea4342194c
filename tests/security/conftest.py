"""The whole city, running, once for the folder's files."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.city.city import City, city
from tests.stack import Stack


@pytest.fixture(scope="package")
async def town(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    async with city(stack, tmp_path_factory.mktemp("home")) as running:
        yield running
