"""Goal 2: PostgreSQL is set back to a base backup under load: nothing is written before `guildhall recover` was run."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.service import SERVICES
from shared.kafka.consumer import stop_consumer
from shared.kafka.topics import topic_of
from tests.faults import base_backup
from tests.faults.facts import SERVICE, Fact, Town
from tests.faults.oracle import LOG, Findings, log_holds, read_models, topic_has, views_rebuild
from tests.faults.stage import Stage
from tests.faults.system import System

RATE = 60.0
ON = 10.0
"""Seconds for which facts are told after the backup."""
NOTICED, WRITTEN = 30.0, 10.0
"""Seconds until every relay has noticed, and until every service writes again once it is recovered."""
REFUSED = "not known to hold what its topic holds"
DIFFER = "select bool_and(agreed is null) from log_partition"

Ids = dict[tuple[int, int], UUID]
"""By partition and position."""


@dataclass
class Course:
    """What an operator met, and the verdict."""

    advised: list[str] = field(default_factory=list)
    """Services of which the doctor said what to do."""
    refusal: str = ""
    said: dict[str, str] = field(default_factory=dict)
    """By service, what `guildhall recover` said."""
    lost: int = 0
    """Acknowledged facts that were on no topic."""
    ill: list[str] = field(default_factory=list)
    """What the doctor found at the end."""
    findings: Findings = field(default_factory=Findings)

    def counted(self, what: str) -> int:
        """The number before these words, in all that `recover` said."""
        found = (re.search(rf"([\d,]+) {what}", said) for said in self.said.values())
        return sum(int(each[1].replace(",", "")) for each in found if each is not None)


async def run(stage: Stage) -> None:
    with tempfile.TemporaryDirectory(prefix="guildhall-faults-") as folder:
        stage.say("a second system is coming up, to be set back")
        course = await played(Path(folder), stage.say, on=ON)
    scale = f"{RATE:.0f} facts a second for {ON:.0f} s after the backup"

    def figure(what: str, measured: str, required: str, *, holds: bool) -> None:
        stage.figure(2, what, measured, required, holds=holds, scale=scale)

    writers = sorted(set(SERVICE.values()))
    figure("the doctor names the cure", ", ".join(course.advised), "of every log", holds=course.advised == writers)
    figure("writes meanwhile", course.refusal, "503 that says why", holds=REFUSED in course.refusal)
    back = course.counted("events are back")
    words = f"{back:,} events, {course.counted('texts')} texts in no backup"
    figure("put back", words, "more than 0 events", holds=back > 0)
    lost = f"{course.findings}; {course.lost} facts were on no topic and told again"
    figure("after the restore", lost, "all that topics had is there, rebuilt equal", holds=not course.findings.wrong)
    figure("the doctor at the end", "; ".join(course.ill) or "nothing", "nothing", holds=not course.ill)


async def played(folder: Path, say: Callable[[str], None], *, on: float, services: Sequence[str] = SERVICES) -> Course:
    """The whole course on a system of its own."""
    system = System(folder / "home", services)
    kinds = [kind for kind, service in SERVICE.items() if service in services]
    try:
        await system.start()
        town = Town(system.port, system.home, "restored", kinds=kinds)
        await town.found()
        return await set_back(system, town, folder, say, on)
    finally:
        await system.stop()


async def set_back(system: System, town: Town, folder: Path, say: Callable[[str], None], on: float) -> Course:
    course, done = Course(), asyncio.Event()
    services = [name for name in system.services if name != "projection"]
    living = asyncio.create_task(town.live(RATE, done))
    await asyncio.sleep(2)
    kept = {fact.key for fact in town.facts if fact.acknowledged}
    say("a base backup is taken")
    await base_backup.take(system, folder / "backup")
    await asyncio.sleep(on)
    say("kill -9 of PostgreSQL, and the backup is put in the place of its data")
    await base_backup.restore(system, folder / "backup")
    await _noticed(system, services)
    say("the relays have noticed")
    course.advised = await _advised(system)
    course.refusal = await _refusal(town)
    done.set()
    await living
    seen = {service: await on_topic(system, service) for service in services}
    for service in services:
        status, said = await system.guildhall("recover", service, "--set-aside", str(folder / f"{service}.jsonl"))
        course.said[service] = said
        course.findings.expect(status, 0, f"status of recover {service}: {said}")
        say(" ".join(said.split("\n")[-3:]))
    course.lost = await _tell_again(system, town, kept, seen, course.findings)
    await _judge(system, town, seen, course)
    return course


async def _noticed(system: System, services: Sequence[str]) -> None:
    """Until every relay has noted that the log lacks what its topic has."""
    until = time.monotonic() + NOTICED
    for service in services:
        connection = await system.connect(service)
        try:
            while not await connection.fetchval(DIFFER):
                assert time.monotonic() < until, f"the relay of {service} has not noticed within {NOTICED:.0f} s"
                await asyncio.sleep(0.1)
        finally:
            await connection.close()


async def _advised(system: System) -> list[str]:
    """The services of whose log the doctor says that it lacks something, and what to do about it."""
    _, said = await system.guildhall("doctor", *system.services, "--json")
    findings = json.loads(said)["findings"]
    wrong = [each for each in findings if each["check"] == "log and topic" and each["state"] == "broken"]
    return sorted(each["where"] for each in wrong if f"guildhall recover {each['where']}" in each["action"])


async def _refusal(town: Town) -> str:
    client, fact = town.client(), town.new("reply")
    path, body = town.request(fact)
    answer = await client.request("POST", path, body, key=fact.key)
    client.close()
    return f"{answer.status} {answer.json().get('detail')}"


async def on_topic(system: System, service: str) -> Ids:
    """What a stranger reads there: the id that came first at each position."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.settings().kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic_of(service), partition) for partition in range(system.settings().partitions)]
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for tp in partitions:
            consumer.seek(tp, begins[tp])
        found: Ids = {}
        left = {tp for tp in partitions if begins[tp] < ends[tp]}
        while left:
            for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                if records[-1].offset + 1 >= ends[tp]:
                    left.discard(tp)
                for record in records:
                    event = json.loads(record.value)
                    found.setdefault((tp.partition, event["position"]), UUID(event["id"]))
        return found
    finally:
        await stop_consumer(consumer)


async def in_log(system: System, service: str) -> Ids:
    connection = await system.connect(service)
    try:
        return {(row["partition"], row["position"]): row["id"] for row in await connection.fetch(LOG)}
    finally:
        await connection.close()


async def _tell_again(system: System, town: Town, kept: set[str], seen: dict[str, Ids], findings: Findings) -> int:
    """Have what is lost told once more; how many facts. Only what was on no topic may be, nor in the backup."""
    logs = {service: await in_log(system, service) for service in seen}
    findings.expect([service for service, ids in seen.items() if not ids], [], "topics that a stranger finds empty")

    def there(fact: Fact, ids: dict[str, Ids]) -> bool:
        return all(place[1:] in ids[place[0]] for place in fact.positions)

    lost = [fact for fact in town.facts if fact.acknowledged and not there(fact, logs)]
    wrongly = [fact.key for fact in lost if fact.key in kept or there(fact, seen)]
    findings.expect(wrongly, [], "acknowledged facts that are lost for no reason")
    for fact in lost:
        fact.id, fact.positions = None, []
    began = time.monotonic()
    findings.unknown = await town.resolve()
    took = time.monotonic() - began
    findings.expect(took < WRITTEN, True, f"written again within {WRITTEN:.0f} s, after {took:.1f} s")
    findings.expect(dict(town.refused), {}, "answers that are no success and no 503")
    return len(lost)


async def _judge(system: System, town: Town, seen: dict[str, Ids], course: Course) -> None:
    findings = course.findings
    await system.caught_up(30)
    findings.acknowledged = len(town.facts)
    for service, before in seen.items():
        log, topic = await in_log(system, service), await on_topic(system, service)
        others = [place for place, id_ in before.items() if log.get(place) != id_]
        findings.expect(others, [], f"{service}: places where readers of the topic had something else")
        others = [place for place in {**topic, **log} if topic.get(place) != log.get(place)]
        findings.expect(others, [], f"{service}: places where topic and log differ")
        whole = await log_holds(system, service, town, findings, whole=True)
        await topic_has(system, service, whole, findings)
    await read_models(town, findings)
    for service in system.services:
        await views_rebuild(system, service, findings)
    _, said = await system.guildhall("doctor", *system.services, "--full", "--json")
    wrong = [each for each in json.loads(said)["findings"] if each["state"] != "ok"]
    course.ill = [f"{each['where']}: {each['check']}: {each['meaning']}" for each in wrong]
