"""The toy's API with short limits, and a community in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.conftest import FreshDatabase
from tests.shared.issuer import write_key_set
from tests.shared.toy_api import Api, toy_api
from tests.shared.toy_service import SERVICE


@pytest.fixture(scope="module")
async def api(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings:
        short = settings.model_copy(update={"database_timeout": 3.0, "body_limit": 2_000})
        async with toy_api(short, jwks) as api:
            await api.community("square")
            await api.standing("square", "alice", "member", "owner")
            await api.standing("square", "bob")
            yield api
