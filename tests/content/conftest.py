"""The content service, running beside the member service that its directory is fed by."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.content.app import SERVICE
from services.member.app import SERVICE as MEMBER
from tests.conftest import FreshDatabase
from tests.content.town import Town
from tests.member.running import following, running


@pytest.fixture(scope="module")
async def town(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Two services with a database each; each test founds a community of its own."""
    home = tmp_path_factory.mktemp("home")
    async with (
        fresh_database(MEMBER.metadata) as member_settings,
        fresh_database(SERVICE.metadata) as settings,
        running(MEMBER, member_settings, home) as member,
        running(SERVICE, settings, home) as content,
        following(content.runtime, member.runtime, SERVICE.topic_read_models),
    ):
        yield Town(content, member)
