"""What must hold after the storm, judged by the clients' record alone: nothing lost, nothing twice, nothing half."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from deploy.local.service import SERVICES
from shared.db import create_engine
from shared.events.envelope import from_wire
from shared.log.postgres import PostgresLog
from shared.projections.read_model import ReadModel
from shared.projections.rebuild import rebuild
from shared.service.service import Service
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.log_source import LogSource
from shared.subscription.source import BEGINNING, Source
from tests.faults.client import Client
from tests.faults.facts import EVENT, KINDS, SERVICE, Town
from tests.faults.system import System

KNOWN = 30.0
"""Seconds within which it is known again how far the logs are."""
LOOKED_AT = 200
"""So many of what is asked for one by one, the last of them."""
LOG = "select partition, position, stream, community, type, id from log order by partition, position"
HALF_WORDS = """
with said as (select community, (convert_from(data, 'UTF8')::jsonb #>> '{text,ref}')::uuid as ref from log)
select count(*) from said where ref is not null and not exists (
    select from vault v where v.community = said.community and v.ref = said.ref
)
"""
STRAY_WORDS = """
select count(*) from vault v where not exists (
    select from log l where l.community = v.community and position(v.ref::text in convert_from(l.data, 'UTF8')) > 0
)
"""
HALF_FOUNDED = """
select count(*) from (
    select community from log group by community
    having count(*) filter (where type = 'guildhall.member.community-founded.v1')
        <> count(*) filter (
            where type = 'guildhall.member.member-joined.v1'
            and convert_from(data, 'UTF8')::jsonb ->> 'via' = 'founding'
        )
) as half
"""


@dataclass
class Findings:
    """What was looked at, counted, and everything that is wrong with it, in words."""

    acknowledged: int = 0
    unknown: int = 0
    events: int = 0
    repeats: int = 0
    views: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, found: object, wanted: object, what: str) -> None:
        if found != wanted:
            self.wrong.append(f"{what}: {found!r}, expected {wanted!r}")

    def __str__(self) -> str:
        whole = f"{self.acknowledged:,} facts once each, {self.events:,} events, {self.repeats:,} repeats on topics"
        return "; ".join(self.wrong[:5]) if self.wrong else whole


async def judge(system: System, town: Town, *, rebuilt: bool = True) -> Findings:
    """Look at logs, topics and read models, before and after what nobody acknowledged has been repeated.

    With `rebuilt` every view is rebuilt beside the live one, too, and compared with it.
    """
    services = [name for name in system.services if name != "projection"]
    findings = Findings(acknowledged=sum(fact.acknowledged for fact in town.facts))
    findings.expect(dict(town.refused), {}, "answers that are no success and no 503")
    town.refused.clear()
    for service in services:
        await nothing_half(system, service, findings)
        await log_holds(system, service, town, findings, whole=False)
    findings.unknown = await town.resolve()
    await system.caught_up(30)
    findings.acknowledged = len(town.facts)
    for service in services:
        log = await log_holds(system, service, town, findings, whole=True)
        await topic_has(system, service, log, findings)
    await read_models(town, findings, all_tell=set(system.services) == set(SERVICES))
    for service in system.services if rebuilt else ():
        await views_rebuild(system, service, findings)
    return findings


async def nothing_half(system: System, service: str, findings: Findings) -> None:
    connection = await system.connect(service)
    try:
        findings.expect(await connection.fetchval(HALF_WORDS), 0, f"{service}: events without their words")
        findings.expect(await connection.fetchval(STRAY_WORDS), 0, f"{service}: words without their event")
        if service == "member":
            findings.expect(await connection.fetchval(HALF_FOUNDED), 0, "communities founded by half")
    finally:
        await connection.close()


async def log_holds(
    system: System, service: str, town: Town, findings: Findings, *, whole: bool
) -> dict[int, list[UUID]]:
    """The log's events by partition. Every acknowledged fact is there once, where its answer said it is."""
    connection = await system.connect(service)
    try:
        rows = await connection.fetch(LOG)
        heads = [row["position"] for row in await connection.fetch("select position from log_partition order by id")]
    finally:
        await connection.close()
    log: dict[int, list[UUID]] = {partition: [] for partition in range(len(heads))}
    streams: Counter[UUID] = Counter()
    at = {}
    for row in rows:
        log[row["partition"]].append(row["id"])
        findings.expect(row["position"], len(log[row["partition"]]), f"{service}/{row['partition']}: position")
        at[service, row["partition"], row["position"]] = {row["stream"], row["community"]}
        # Communities are facts wherever they are; of the rest only the town's was told by its clients.
        if row["type"] in EVENT.values() and (row["type"] == EVENT["community"] or row["community"] == town.community):
            streams[row["stream"]] += 1
    findings.expect([len(log[p]) for p in log], heads, f"{service}: positions given out")
    findings.expect(
        len({id_ for ids in log.values() for id_ in ids}), len(rows), f"{service}: events with an id of their own"
    )
    facts = [fact for kind in KINDS if SERVICE[kind] == service for fact in town.of(kind)]
    for fact in facts:
        if fact.id is not None:
            findings.expect(streams[fact.id], 1, f"{service}: events of acknowledged {fact.key}")
            if fact.positions:
                # Of two events in one partition an answer names the later; both are of the community that is founded.
                there = all(fact.id in at.get(place, ()) for place in fact.positions)
                findings.expect(there, True, f"{fact.key} stands where its answer said")
    if whole:
        findings.expect(sum(streams.values()), len(facts), f"{service}: facts in the log")
        findings.events += len(rows)
    return log


async def topic_has(system: System, service: str, log: Mapping[int, list[UUID]], findings: Findings) -> None:
    """The first occurrence of each position in order, none missing, each the log's own event; repeats are counted."""
    source = KafkaSource(system.settings(), service)
    await source.start(dict.fromkeys(log, BEGINNING))
    seen: dict[int, list[UUID]] = {partition: [] for partition in log}
    empty = 0
    try:
        while empty < 3:  # it connects within the first
            messages = await source.read(10_000, 1.0)
            empty = 0 if messages else empty + 1
            for message in messages:
                record = from_wire(message.value or b"")
                known = seen[message.partition]
                if record.position == len(known) + 1:
                    known.append(record.id)
                elif record.position <= len(known):
                    findings.repeats += 1
                    findings.expect(record.id, known[record.position - 1], f"{service}: the event repeated")
                else:
                    findings.wrong.append(f"topic {service}/{message.partition}: {record.position} after {len(known)}")
            if all(len(seen[p]) >= len(log[p]) for p in log):
                empty += 1
    finally:
        await source.close()
    findings.expect(seen, dict(log), f"topic of {service}")


async def read_models(town: Town, findings: Findings, *, all_tell: bool = True) -> None:
    """By the APIs: each fact is counted once wherever it counts.

    Where not all services run, so that not `all_tell` how far their logs are, nobody knows how many events are missing.
    """
    with closing(town.client(timeout=30)) as client:
        lists = {"reply": f"threads/{town.thread}/replies", "suggestion": "suggestions?sort=newest"}
        for kind in town.kinds:
            if kind in lists:
                listed = await _ids(client, f"{town.path}/{lists[kind]}")
                findings.expect(Counter(listed), Counter(str(fact.id) for fact in town.of(kind)), f"{kind}: listed")
        if "share" in town.kinds:
            for fact in town.of("share")[-LOOKED_AT:]:
                shares = (await client.request("GET", f"{town.path}/shares?target={fact.target}")).json()["counts"]
                findings.expect(sum(shares.values()), 1, "shares counted")
        today = datetime.now(UTC).date()
        span = f"from={today - timedelta(1)}&to={today}"
        until = time.monotonic() + KNOWN
        while True:
            activity = (await client.request("GET", f"{town.path}/metrics/activity?{span}&step=day")).json()
            behind = activity["freshness"]["lag_events"]
            if behind is not None or not all_tell or time.monotonic() > until:
                break
            await asyncio.sleep(0.2)  # how far the logs are is not known at once after a restart
        findings.expect(behind, 0 if all_tell else None, "events not projected")
        for kind in ("reply", "share", "suggestion"):
            counted = sum(item["actions"][kind] for item in activity["items"])
            findings.expect(counted, len(town.of(kind)), f"activity: {kind}")


async def _ids(client: Client, path: str) -> list[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    mark = "&" if "?" in path else "?"
    page = f"{path}{mark}limit=200"
    while True:
        answer = (await client.request("GET", page)).json()
        found += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            return found
        page = f"{path}{mark}limit=200&cursor={answer['next']}"


async def views_rebuild(system: System, service: str, findings: Findings) -> None:
    """As `guildhall rebuild SERVICE VIEW --check` does, for each of its views that has rows: equal, nothing parked."""
    declared: Service = importlib.import_module(f"services.{service}.app").SERVICE
    settings = system.settings()
    engine = create_engine(settings, service, connections=12)
    log = PostgresLog(engine, service, settings.partitions)
    room = asyncio.Semaphore(2)

    async def one(view: ReadModel) -> None:
        def sources() -> Sequence[Source]:
            return [LogSource(log) if name == service else KafkaSource(settings, name) for name in view.sources]

        async with room:
            report = await rebuild(view, engine, sources, take_over=False)
        findings.views += 1
        different = {table.table: table.different for table in report.tables if not table.equal}
        findings.expect(different, {}, f"{service}: rows of {view.name} that differ when rebuilt")
        findings.expect(report.parked, 0, f"{service}: events parked by {view.name}")

    try:
        await asyncio.gather(*(one(view) for view in declared.views if view.tables))
    finally:
        await log.close()
        await engine.dispose()
