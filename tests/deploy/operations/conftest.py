"""The small system, once for the whole folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.deploy.operations.hall import Hall, running_hall
from tests.stack import Stack


@pytest.fixture(scope="package")
async def hall(stack: Stack) -> AsyncIterator[Hall]:
    async with running_hall(stack) as found:
        yield found
