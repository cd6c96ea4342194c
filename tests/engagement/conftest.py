"""The engagement service, running beside the member and content services that its views are fed by."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.content.app import SERVICE as CONTENT
from services.engagement.app import SERVICE
from services.engagement.read_models.targets import TARGETS
from services.member.app import SERVICE as MEMBER
from tests.conftest import FreshDatabase
from tests.content.town import Town as ContentTown
from tests.engagement.town import Town
from tests.member.running import following, running


@pytest.fixture(scope="module")
async def town(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Three services with a database each; each test founds a community of its own."""
    home = tmp_path_factory.mktemp("home")
    async with (
        fresh_database(MEMBER.metadata) as member_settings,
        fresh_database(CONTENT.metadata) as content_settings,
        fresh_database(SERVICE.metadata) as settings,
        running(MEMBER, member_settings, home) as member,
        running(CONTENT, content_settings, home) as content,
        running(SERVICE, settings, home) as engagement,
        following(content.runtime, member.runtime, CONTENT.topic_read_models),
        following(engagement.runtime, member.runtime, [SERVICE.directory]),
        following(engagement.runtime, content.runtime, [TARGETS]),
    ):
        yield Town(engagement, ContentTown(content, member))
