"""A service's topic has as many partitions as its log and keeps everything for ever; made and checked here only.

Beside it is a small one of heads, which tell how far the log is (`heads.py`); nobody needs an old one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.kafka.connection import connection
from shared.settings import Settings

DEADLINE = 10.0
"""Seconds that making topics may take."""
LOOK = 4.0
"""Seconds that a look at one may take: a broker that is just starting takes connections and does not answer, and who
asked it then is to ask again soon.
"""

FOREVER = {"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"}
"""A topic that loses its beginning can no longer be read by somebody new."""

FOR_AN_HOUR = {"retention.ms": "3600000", "segment.ms": "600000", "cleanup.policy": "delete"}
"""What is said of heads anew several times a second."""

LIMIT, DEFAULT_LIMIT = "max.message.bytes", 1_048_588
"""The setting that bounds a batch, in bytes, and what a broker has it at when nobody has said otherwise."""

BROKER_AWAY = (errors.KafkaError, OSError, TimeoutError)


class TopicProblem(Exception):
    """The broker's topic is not what the log needs; the message says what to do."""


class BrokerAway(TopicProblem):
    """The broker does not answer."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the broker has it; `settings` are those of `FOREVER`, `batch_limit` the bytes it takes at once."""

    name: str
    partitions: int
    settings: dict[str, str]
    batch_limit: int


def topic_of(service: str) -> str:
    """The topic of a service's events."""
    return f"guildhall.{service}.v1"


def heads_topic_of(service: str) -> str:
    """The topic on which a service says how far its log is: one partition."""
    return f"guildhall.{service}.heads.v1"


async def ensure_topics(settings: Settings, services: Iterable[str]) -> list[str]:
    """Make the topics that are missing and check those that are there; the names of those that were made.

    Raises `TopicProblem` when a topic has another number of partitions or does not keep its records for ever, when one
    of heads does not let go of them, or when one cannot be made, and `BrokerAway` when the broker does not answer.
    """
    owners = list(services)
    events, heads = [topic_of(service) for service in owners], [heads_topic_of(service) for service in owners]
    async with _admin(settings) as admin:
        there = await _describe(admin, events + heads)
        missing = [name for name in events + heads if name not in there]
        if missing:
            await _create(
                admin,
                [
                    _new(name, settings, settings.partitions, FOREVER)
                    if name in events
                    else _new(name, settings, 1, FOR_AN_HOUR)
                    for name in missing
                ],
            )
        settled = await _settled(admin, events + heads)
        for name in events:
            _check(settled[name], settings)
        for name in heads:
            _check_heads(settled[name])
    return missing


async def require_topics(settings: Settings, names: Iterable[str]) -> None:
    """Raises `TopicProblem` where one of them is missing, and `BrokerAway` when the broker does not answer."""
    async with _admin(settings, LOOK) as admin:
        wanted = list(names)
        there = await _partitions(admin, wanted)
    if missing := [name for name in wanted if name not in there]:
        raise TopicProblem(f"Topic {missing[0]} does not exist. Run `guildhall topics`.")


async def check_topic(settings: Settings, service: str) -> Topic | None:
    """The service's topic, or None when there is none. Raises as `ensure_topics` does."""
    name = topic_of(service)
    async with _admin(settings, LOOK) as admin:
        topic = (await _describe(admin, [name])).get(name)
    if topic is not None:
        _check(topic, settings)
    return topic


def _check(topic: Topic, settings: Settings) -> None:
    if topic.partitions != settings.partitions:
        raise TopicProblem(
            f"Topic {topic.name} has {topic.partitions} partitions and the log has {settings.partitions}. The number "
            "is fixed when a system is made: set GUILDHALL_PARTITIONS to what the system was made with, or delete the "
            "topic and run `guildhall topics`, and it will be filled again from the log."
        )
    wrong = {key: value for key, value in topic.settings.items() if value != FOREVER[key]}
    if wrong:
        raise TopicProblem(
            f"Topic {topic.name} does not keep its records for ever: {wrong}. Set {FOREVER} on it; if records have "
            "been lost already, delete it and run `guildhall topics`, and it will be filled again from the log."
        )


def _check_heads(topic: Topic) -> None:
    wrong = {key: value for key, value in topic.settings.items() if value != FOR_AN_HOUR.get(key, value)}
    if wrong:
        raise TopicProblem(
            f"Topic {topic.name} does not keep its records for an hour: {wrong}. Set {FOR_AN_HOUR} on it, or delete it "
            "and run `guildhall topics`: nobody needs what is in it."
        )


def _new(name: str, settings: Settings, partitions: int, kept: Mapping[str, str]) -> NewTopic:
    replicas = settings.topic_replication
    config = {**kept, "min.insync.replicas": str(max(1, replicas - 1))}
    return NewTopic(name, partitions, replicas, topic_configs=config)


async def _create(admin: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    """All in one request."""
    answer = await admin.create_topics(topics)
    for name, code, *message in answer.topic_errors:
        error = errors.for_code(code)
        if error not in (errors.NoError, errors.TopicAlreadyExistsError):
            raise TopicProblem(f"Topic {name} cannot be made: {error.__name__}. {' '.join(filter(None, message))}")


async def _settled(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Topic]:
    """The topics once every broker's metadata has them; they appear a moment after they are made."""
    while True:
        topics = await _describe(admin, names)
        if len(topics) == len(names):
            return topics
        await asyncio.sleep(0.05)


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """How many partitions those of the topics have that exist and have a leader for each, by name."""
    found = {}
    for topic in await admin.describe_topics(names):
        code = errors.for_code(topic["error_code"])
        if code is errors.NoError and all(p["error_code"] == 0 for p in topic["partitions"]):
            found[topic["topic"]] = len(topic["partitions"])
        elif code not in (errors.NoError, errors.UnknownTopicOrPartitionError, errors.LeaderNotAvailableError):
            raise TopicProblem(f"Topic {topic['topic']} cannot be looked at: {code.__name__}.")
    return found


async def _describe(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, Topic]:
    """Those of the topics that exist and have a leader for every partition, by name."""
    found = await _partitions(admin, names)
    if not found:
        return {}
    wanted = dict.fromkeys([*FOREVER, LIMIT])
    answers = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configs=wanted) for name in found]
    )
    configs: dict[str, dict[str, str]] = {name: {} for name in found}
    for answer in answers:
        for code, _, _, name, entries in answer.resources:
            if errors.for_code(code) is errors.NoError:
                configs[name] = {key: value for key, value, *_ in entries}
    return {name: _topic(name, partitions, configs[name]) for name, partitions in found.items()}


def _topic(name: str, partitions: int, config: dict[str, str]) -> Topic:
    limit = int(config.pop(LIMIT, DEFAULT_LIMIT))
    return Topic(name, partitions, config, limit)


@asynccontextmanager
async def _admin(settings: Settings, deadline: float = DEADLINE) -> AsyncIterator[Any]:
    """An administrator's connection; everything within it ends by the deadline."""
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=int(deadline * 500))
    try:
        async with asyncio.timeout(deadline):
            await admin.start()
            yield admin
    except BROKER_AWAY as error:
        raise BrokerAway(f"Kafka at {settings.kafka} does not answer: {type(error).__name__}.") from error
    finally:
        with suppress(*BROKER_AWAY):
            async with asyncio.timeout(1):
                await admin.close()
