"""A service of the test's own, whose relays look and try again sooner than in earnest."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.relay import relay as relaying
from shared.relay import session, topic_watch
from shared.settings import Settings
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.shared.relay.system import System, made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_watch, "LOOK", 0.5)
    monkeypatch.setattr(relaying, "BACK_OFF", (0.1, 0.5))
    monkeypatch.setattr(session, "STUCK_RETRY", 1.0)


@pytest.fixture
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def system(settings: Settings) -> AsyncIterator[System]:
    async with made(settings) as system:
        yield system
