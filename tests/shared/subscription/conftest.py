"""A topic of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.kafka.topics import ensure_topics
from shared.settings import Settings
from tests.shared.subscription.source_conformance import PARTITIONS
from tests.shared.subscription.topic_feed import TopicFeed
from tests.stack import Stack


@pytest.fixture
def settings(stack: Stack) -> Settings:
    return Settings(kafka=stack.kafka, partitions=PARTITIONS)


@pytest.fixture
async def feed(settings: Settings) -> AsyncIterator[TopicFeed]:
    feed = TopicFeed(settings)
    await ensure_topics(settings, [feed.log.service])
    yield feed
    await feed.close()
