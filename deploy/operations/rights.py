"""Who may do what with which topic, read off what services declare, and how the broker is told.

A service writes its own topics, of events and of heads, and reads both of those that its views and reactions subscribe
to; nobody else writes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from shared.kafka.connection import connection
from shared.kafka.principals import OPERATOR, PARTNER, everybody, principal
from shared.kafka.topics import BROKER_AWAY, BrokerAway, TopicProblem, heads_topic_of, topic_of
from shared.service.service import Service
from shared.settings import Settings

DEADLINE = 15.0
"""Seconds that telling the broker may take."""

RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
OPERATIONS = {
    "all": 2,
    "read": 3,
    "write": 4,
    "create": 5,
    "delete": 6,
    "alter": 7,
    "describe": 8,
    "cluster-action": 9,
    "describe-configs": 10,
    "alter-configs": 11,
    "idempotent-write": 12,
}
LITERAL, PREFIXED, ALLOWED, ANY = 3, 4, 3, 1
"""The protocol's numbers."""

TOPICS = (topic_of, heads_topic_of)
READ = ("read", "describe-configs")
OPERATE = ("read", "create", "delete", "describe-configs", "alter-configs")
"""What one needs who reads a topic, and who looks after them all."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """`prefixed`: of every name that begins so. To read or to write includes to describe."""

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str


def rights(services: Iterable[Service]) -> set[Right]:
    """All that is allowed; what is not here is forbidden."""
    found = set[Right]()
    for service in services:
        who = principal(service.name)
        read = set(service.topics)
        if service.events is not None:
            found |= {Right(who, "topic", name_of(service.name), False, "write") for name_of in TOPICS}
            read.add(service.name)  # its relay looks how far the topic is
        else:  # its workers share partitions as consumer groups
            found.add(Right(who, "group", f"guildhall-{service.name}-", True, "read"))
        for name in read:
            found |= {Right(who, "topic", name_of(name), False, op) for op in READ for name_of in TOPICS}
    found |= {Right(OPERATOR, "topic", "guildhall.", True, op) for op in OPERATE}
    return found | {
        Right(PARTNER, "topic", "guildhall.", True, "read"),
        Right(PARTNER, "group", "partner-", True, "read"),
    }


async def hand_out(settings: Settings, services: Collection[Service]) -> tuple[set[Right], set[Right]]:
    """Have the broker allow just this to these principals; what was added, and what was taken away.

    Raises `BrokerAway`, and `TopicProblem` where the broker refuses.
    """
    wanted = rights(services)
    admin: Any = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=int(DEADLINE * 500))
    try:
        async with asyncio.timeout(DEADLINE):
            await admin.start()
            ours = everybody(service.name for service in services)
            there = set[Right]().union(*await asyncio.gather(*(_allowed(admin, who) for who in ours)))
            await asyncio.gather(*(_allow(admin, right) for right in sorted(wanted - there)))
            await asyncio.gather(*(_forbid(admin, right) for right in sorted(there - wanted)))
    except BROKER_AWAY as error:
        raise BrokerAway(f"Kafka at {settings.kafka} does not answer: {type(error).__name__}.") from error
    finally:
        with suppress(*BROKER_AWAY):
            async with asyncio.timeout(1):
                await admin.close()
    return wanted - there, there - wanted


async def _allowed(admin: Any, who: str) -> set[Right]:
    answer = await admin._send_request(DescribeAclsRequest(ANY, None, ANY, f"User:{who}", None, ANY, ANY))  # noqa: SLF001
    _check(answer.error_code, answer.error_message)
    resources = {number: name for name, number in RESOURCES.items()}
    operations = {number: name for name, number in OPERATIONS.items()}
    return {
        Right(who, resources[kind], name, pattern == PREFIXED, operations[operation])
        for kind, name, pattern, acls in answer.resources
        for _, _, operation, permission in acls
        if permission == ALLOWED and kind in resources and operation in operations
    }


async def _allow(admin: Any, right: Right) -> None:
    answer = await admin._send_request(CreateAclsRequest(*_numbers(right)))  # noqa: SLF001
    for code, message in answer.creation_responses:
        _check(code, message)


async def _forbid(admin: Any, right: Right) -> None:
    answer = await admin._send_request(DeleteAclsRequest(*_numbers(right)))  # noqa: SLF001
    for code, message, _ in answer.filter_responses:
        _check(code, message)


def _numbers(right: Right) -> tuple[int, str, int, str, str, int, int]:
    pattern = PREFIXED if right.prefixed else LITERAL
    operation = OPERATIONS[right.operation]
    return RESOURCES[right.resource], right.name, pattern, f"User:{right.principal}", "*", operation, ALLOWED


def _check(code: int, message: str | None) -> None:
    error = errors.for_code(code)
    if error is not errors.NoError:
        raise TopicProblem(f"The broker does not take rights: {error.__name__}. {message or ''}".strip())
