"""The feedback service, running beside the member service that its directory is fed by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.feedback.app import SERVICE
from services.member.app import SERVICE as MEMBER
from tests.conftest import FreshDatabase
from tests.member import api as members
from tests.member.running import Api, following, running


@dataclass(frozen=True)
class Town:
    """Both services; the same subject is the same member in both."""

    feedback: Api
    member: Api

    def by(self, subject: str, scope: str = "") -> Any:
        """A client of the feedback service."""
        return self.feedback.by(subject, scope)

    async def found(self, *joining: str, moderator: str | None = None, **changes: Any) -> str:
        """A community of alice's with those members; the path of it."""
        path = await members.found(self.member, "alice", **changes)
        for who in joining:
            joined = await members.join(self.member, path, who)
            if who == moderator:
                await members.grant(self.member, path, "moderator", joined["id"])
        return path


@pytest.fixture(scope="module")
async def town(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Two services with a database each; each test founds a community of its own."""
    home = tmp_path_factory.mktemp("home")
    async with (
        fresh_database(MEMBER.metadata) as member_settings,
        fresh_database(SERVICE.metadata) as settings,
        running(MEMBER, member_settings, home) as member,
        running(SERVICE, settings, home) as feedback,
        following(feedback.runtime, member.runtime, SERVICE.topic_read_models),
    ):
        yield Town(feedback, member)
