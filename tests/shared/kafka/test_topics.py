"""Topics are made as the log needs them, and one that is otherwise is refused in words that help."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.kafka.topics import BrokerAway, TopicProblem, check_topic, ensure_topics, heads_topic_of, topic_of
from shared.settings import Settings


@pytest.fixture
def service() -> str:
    return f"toy{uuid4().hex[:8]}"


async def test_topics_are_made_once_with_the_logs_partitions_and_for_ever(settings: Settings, service: str) -> None:
    other = f"{service}b"

    assert await ensure_topics(settings, [service]) == [f"guildhall.{service}.v1", f"guildhall.{service}.heads.v1"]
    assert await ensure_topics(settings, [service, other]) == [topic_of(other), heads_topic_of(other)]
    assert await ensure_topics(settings, [service, other]) == []

    topic = await check_topic(settings, service)
    assert topic is not None
    assert (topic.partitions, topic.settings["retention.ms"], topic.settings["retention.bytes"]) == (3, "-1", "-1")


async def test_a_topic_that_is_missing_is_none(settings: Settings, service: str) -> None:
    assert await check_topic(settings, service) is None


async def test_a_topic_with_another_number_of_partitions_is_refused(settings: Settings, service: str) -> None:
    await ensure_topics(settings, [service])

    with pytest.raises(TopicProblem, match="has 3 partitions and the log has 4"):
        await ensure_topics(settings.model_copy(update={"partitions": 4}), [service])


async def test_a_topic_that_forgets_is_refused(settings: Settings, service: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic_of(service), 3, 1, topic_configs={"retention.ms": "86400000"})])
    await admin.close()

    with pytest.raises(TopicProblem, match=r"does not keep its records for ever: \{'retention.ms': '86400000'\}"):
        await ensure_topics(settings, [service])


@pytest.mark.parametrize(
    ("setting", "value"), [("retention.ms", "-1"), ("retention.ms", "1000"), ("cleanup.policy", "compact")]
)
async def test_a_topic_of_heads_that_keeps_them_otherwise_is_refused(
    settings: Settings, service: str, setting: str, value: str
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    kept = {"retention.ms": "3600000", "cleanup.policy": "delete", setting: value}
    await admin.create_topics([NewTopic(heads_topic_of(service), 1, 1, topic_configs=kept)])

    with pytest.raises(TopicProblem, match=rf"heads.* for an hour: \{{'{setting}': '{value}'\}}"):
        await ensure_topics(settings, [service])

    await admin.delete_topics([heads_topic_of(service)])
    while heads_topic_of(service) in await admin.list_topics():
        await asyncio.sleep(0.02)
    await admin.close()
    assert await ensure_topics(settings, [service]) == [heads_topic_of(service)]


async def test_more_replicas_than_brokers_are_refused_with_the_brokers_words(settings: Settings, service: str) -> None:
    with pytest.raises(TopicProblem, match="InvalidReplicationFactor"):
        await ensure_topics(settings.model_copy(update={"topic_replication": 3}), [service])


async def test_a_broker_that_is_away_is_named(settings: Settings, service: str) -> None:
    with pytest.raises(BrokerAway, match=r"127\.0\.0\.1:9"):
        await ensure_topics(settings.model_copy(update={"kafka": "127.0.0.1:9"}), [service])
