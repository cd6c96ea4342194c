"""All checks of a running system; what does not answer is a finding, and the rest is looked at all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from deploy.operations import (
    check_commands,
    check_database,
    check_leases,
    check_log,
    check_processes,
    check_topic,
    check_vault,
    check_views,
)
from deploy.operations.databases import Databases, databases
from deploy.operations.findings import Finding, State, broken, ok
from deploy.operations.lag import RELAY, measure
from deploy.operations.service_under_check import ServiceUnderCheck
from deploy.operations.topics import Topics, topics
from shared.db import FAILED, Driver
from shared.kafka.topics import BrokerAway, topic_of
from shared.lag import heads as heads_of
from shared.lag import watermarks
from shared.service.service import Service
from shared.settings import Settings

T = TypeVar("T")

DATABASE: Sequence[Callable[[ServiceUnderCheck], Awaitable[Finding]]] = (
    check_database.schema,
    check_database.clock,
    check_database.sessions,
    check_database.connections,
    check_leases.leases,
    check_views.watermarks,
    check_views.heads,
    check_views.behind,
    check_views.parked,
)
LOG: Sequence[Callable[[ServiceUnderCheck], Awaitable[Finding]]] = (
    check_log.positions,
    check_log.agreed,
    check_log.claims,
    check_log.relay,
    check_vault.forgetting,
    check_commands.commands,
)


@dataclass(slots=True)
class Diagnosis:
    """`not_looked_at` says what could not be checked because nobody told where it is."""

    findings: list[Finding] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        return max((finding.state for finding in self.findings), default=State.OK)

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state.name.lower(),
            "findings": [finding.as_dict() for finding in self.findings],
            "not_looked_at": self.not_looked_at,
        }


async def examine(
    settings: Settings, services: Sequence[Service], *, full: bool = False, disks: Sequence[str] = ()
) -> Diagnosis:
    """Look at everything once. `full` counts every position of logs and reads topics whole."""
    diagnosis = Diagnosis()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(databases(settings, services, statement=600.0 if full else 10.0))
        for name, why in sorted(opened.away.items()):
            action = "Start PostgreSQL (a local system: guildhall up), or set GUILDHALL_DATABASE_URL to where it is."
            diagnosis.findings.append(broken("database", name, why, action))
        broker = await stack.enter_async_context(_broker(settings, services, diagnosis))
        lag = await measure(opened, services, settings.partitions)
        relayed = {s.service: stage.positions for s in lag.services for stage in s.stages if stage.reader == RELAY}
        if len(offsets := await _ask(opened, services, check_database.offset)) > 1:
            diagnosis.findings.append(check_database.together(offsets, settings.clock_bound))
        marks = await _ask(opened, services, watermarks)
        ends = await _ends(broker, diagnosis) if broker is not None else {}
        heads = await _ask(opened, [service for service in services if service.events is not None], heads_of)
        for service in services:
            if (connection := opened.open.get(service.name)) is not None:
                subject = ServiceUnderCheck(
                    settings, service, connection, lag, marks.get(service.name, ()), heads, ends, full
                )
                await _database(subject, diagnosis)
            if broker is not None and service.events is not None:
                await _topic(settings, broker, service.name, ends, heads, relayed, full=full, into=diagnosis)
    if not settings.record_secrets:
        diagnosis.not_looked_at.append("who wrote the records on topics (set GUILDHALL_RECORD_SECRET)")
    await _outside(settings, services, disks, diagnosis)
    return diagnosis


@asynccontextmanager
async def _broker(
    settings: Settings, services: Sequence[Service], diagnosis: Diagnosis
) -> AsyncIterator[Topics | None]:
    names = [service.name for service in services if service.events is not None]
    async with AsyncExitStack() as stack:
        found: Topics | None = None
        try:
            found = await stack.enter_async_context(topics(settings, names))
        except BrokerAway as error:
            action = "Start Kafka, or set GUILDHALL_KAFKA to where it is. Writing goes on meanwhile; nothing is lost."
            diagnosis.findings.append(broken("broker", "kafka", str(error), action))
        else:
            diagnosis.findings.append(
                ok("broker", "kafka", f"Kafka at {settings.kafka} answers ({settings.kafka_security_protocol}).")
            )
        yield found


async def _ends(broker: Topics, diagnosis: Diagnosis) -> dict[str, list[int]]:
    ends = {}
    for name in broker.there:
        try:
            ends[name] = await broker.ends(name)
        except BrokerAway as error:
            diagnosis.findings.append(_unread(name, error))
    return ends


async def _ask(
    opened: Databases, services: Sequence[Service], question: Callable[[Driver], Awaitable[T]]
) -> dict[str, T]:
    """By service; those whose table is missing are left out: the check of the schema says so."""
    answers = {}
    for service in services:
        if (connection := opened.open.get(service.name)) is not None:
            with suppress(*FAILED):
                answers[service.name] = await question(connection)
    return answers


async def _database(subject: ServiceUnderCheck, diagnosis: Diagnosis) -> None:
    for check in (*(LOG if subject.name in subject.heads else ()), *DATABASE):
        try:
            diagnosis.findings.append(await check(subject))
        except FAILED as error:
            what = " ".join(str(error).split()) or type(error).__name__
            meaning = f"The database did not answer this check: {what}"
            action = "Look at its log; if a table is missing: guildhall migrate " + subject.name
            diagnosis.findings.append(broken(check.__name__, subject.name, meaning, action))


async def _topic(
    settings: Settings,
    broker: Topics,
    service: str,
    ends: dict[str, list[int]],
    heads: dict[str, list[int]],
    relayed: dict[str, list[int]],
    *,
    full: bool,
    into: Diagnosis,
) -> None:
    try:
        into.findings.append(await check_topic.shape(settings, service))
        if service in ends:
            if service in heads and service in relayed:
                into.findings.append(
                    await check_topic.contents(broker, service, ends[service], heads[service], relayed[service])
                )
            look = check_topic.whole if full else check_topic.newest
            into.findings.append(await look(broker, service, ends[service]))
    except BrokerAway as error:
        into.findings.append(_unread(service, error))


def _unread(service: str, error: BrokerAway) -> Finding:
    return broken("topic", service, f"{topic_of(service)} cannot be read. {error}", "Look at the broker's log.")


async def _outside(settings: Settings, services: Sequence[Service], disks: Sequence[str], diagnosis: Diagnosis) -> None:
    where = check_processes.addresses(settings.service_urls, [service.name for service in services])
    answers = await asyncio.gather(
        *(asyncio.to_thread(check_processes.service, name, address) for name, address in where.items())
    )
    for findings in answers:
        diagnosis.findings += findings
    unknown = [service.name for service in services if service.name not in where]
    if unknown:
        diagnosis.not_looked_at.append(f"processes of {', '.join(unknown)} (set GUILDHALL_SERVICE_URLS)")
    folders = [*disks, *settings.data_folder_list]
    diagnosis.findings += [check_processes.disk(folder) for folder in dict.fromkeys(folders)]
    if not folders:
        diagnosis.not_looked_at.append("disks (--disk DIR, or set GUILDHALL_DATA_FOLDERS)")
