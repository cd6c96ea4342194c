"""Puts back into a log that went back what its topic still has: the topic is a copy of the log.

A database that comes back from a backup, or fails over to a replica that was behind, lacks the last events of its log.
Those that the relay had sent stand on the topic, each with its position and id, and every reader has them under these.
So they are put back as they were; nothing else can stand at their positions. What the relay had not sent is lost, and
so are the words in the vault that were written after the backup.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from deploy.operations.take_back import take_back
from deploy.operations.topics import Topics
from shared.db import Driver
from shared.events.catalogue import Catalogue
from shared.events.claim import Claim
from shared.events.decider import Decider, facts_of
from shared.events.envelope import from_wire
from shared.events.event import Recorded
from shared.events.fact import fact_of
from shared.lag import heads as heads_of
from shared.log.agreement import DISAGREE
from shared.log.claims import HOLDERS, TAKE, rows
from shared.log.guards import HOLD
from shared.log.sql import COLUMNS, LOAD
from shared.projections.read_model import ReadModel

NEWEST = 10_000
"""Records of each partition that are looked at first; ten times as many each time they do not reach back far enough."""

IDS = "select position, id from log where partition = $1 and position >= $2 order by position"
BEHIND = f"select {COLUMNS} from log where partition = $1 and position > $2 order by position"  # noqa: S608 - our words
TAKE_AWAY = "delete from log where partition = $1 and position > $2"
PUT_BACK = f"""
insert into log ({COLUMNS})
select * from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::int[], $5::text[], $6::uuid[], $7::uuid[],
                     $8::uuid[], $9::timestamptz[], $10::timestamptz[], $11::uuid[], $12::bytea[], $13::text[],
                     $14::uuid[])
"""  # noqa: S608 - our own words
HEAD = "update log_partition set position = $2 where id = $1"
LET_GO = "delete from claim where stream = any($1::uuid[])"
WORDS = """
select count(*) from unnest($1::uuid[], $2::uuid[]) as wanted(community, ref)
where not exists (select from vault v where v.community = wanted.community and v.ref = wanted.ref)
"""


@dataclass(frozen=True, slots=True)
class Missing:
    """What a partition of the log lacks: the topic's events behind `common`, the last position that both have alike.

    `others` are events that the log has there instead, which no reader has ever seen.
    """

    partition: int
    common: int
    events: Sequence[Recorded]
    others: Sequence[Recorded]


class CannotRecover(Exception):
    """The topic cannot tell what the log lacks; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """`words` counts references to texts that are in no vault; `views` fill themselves again from the beginning.
    `disputed` is what several streams hold now, each with the streams: what was recorded stands, and nobody else gets
    it until all of them but one have let it go.
    """

    events: int
    first: datetime
    last: datetime
    words: int
    views: Sequence[str]
    disputed: Mapping[tuple[UUID, Claim], Sequence[UUID]]


async def missing(topics: Topics, service: str, log: Driver) -> list[Missing]:
    """By partition, what the topic has and the log has not. Raises `CannotRecover` and `BrokerAway`."""
    heads = await heads_of(log)
    ends = await topics.ends(service)
    found: list[Missing] = []
    left, newest = set(range(len(heads))), NEWEST
    while left:
        seen: dict[int, dict[int, bytes]] = {partition: {} for partition in left}
        reached = dict(enumerate(await topics.begins(service)))
        async for record in topics.records(service, ends, newest):
            if record.partition in left and record.position is not None and record.value is not None:
                seen[record.partition].setdefault(record.position, record.value)  # as readers: the first that came
        for partition in sorted(left):
            whole = ends[partition] - newest <= reached[partition]
            one = await _missing(log, partition, heads[partition], seen[partition], whole=whole)
            if one is not None:
                left.discard(partition)
                if one.events:
                    found.append(one)
        newest *= 10
    return sorted(found, key=lambda each: each.partition)


async def _missing(log: Driver, partition: int, head: int, seen: dict[int, bytes], *, whole: bool) -> Missing | None:
    """What the log lacks of this partition; None where these records do not reach back to what both have."""
    if not seen:
        return Missing(partition, head, (), ()) if whole else None
    records = {position: from_wire(value) for position, value in seen.items()}
    rows = {row["position"]: row["id"] for row in await log.fetch(IDS, partition, min(records))}
    alike = [position for position, record in records.items() if rows.get(position) == record.id]
    if not alike and not (whole and 1 in records):
        if whole:
            raise CannotRecover(
                f"Partition {partition} of the topic has lost its beginning and shares no event with the log. Restore "
                "a newer backup, or make the topic anew and rebuild what was read from it."
            )
        return None
    common = max(alike, default=0)
    last = max(records)
    if lacking := [position for position in range(common + 1, last + 1) if position not in records]:
        raise CannotRecover(
            f"The topic lacks positions {lacking[0]} to {lacking[-1]} of partition {partition}, so what follows cannot "
            "be put back in order. Restore a newer backup, or make the topic anew and rebuild what was read from it."
        )
    events = tuple(records[position] for position in range(common + 1, last + 1))
    others = [Recorded("", *row) for row in await log.fetch(BEHIND, partition, common)] if events else []
    return Missing(partition, common, events, tuple(others))


async def put_back(
    log: Driver,
    service: str,
    lacking: Sequence[Missing],
    views: Sequence[ReadModel],
    set_aside: Callable[[Recorded], None] | None,
    deciders: Iterable[Decider[Any, Any]] = (),
) -> Recovered:
    """Write it into the log, all of it or nothing; what the log has there instead goes to `set_aside` first.

    `views` read this log, and lose what they made of that. The streams that this changes hold afterwards what their
    states claim, by those of the service's deciders that have claims.

    The relay finds then that log and topic agree, and appends are taken again. Raises `CannotRecover` where there is
    something to set aside and nowhere to put it, or where the log has changed since it was looked at.
    """
    if set_aside is None and any(each.others for each in lacking):
        raise CannotRecover(
            "The log has other events at positions that the topic has given out. No reader will ever see them there: "
            "say with --set-aside FILE where they are to be kept, so that what they say can be entered again."
        )
    await log.execute("set default_transaction_read_only = off")  # an operator's connection only looks otherwise
    async with log.transaction():
        await log.execute(DISAGREE)
        await log.execute(HOLD, [each.partition for each in lacking])
        heads = await heads_of(log)
        for each in lacking:
            if heads[each.partition] != each.common + len(each.others):
                raise CannotRecover("The log has changed since it was looked at. Run this again.")
            for event in each.others:
                assert set_aside is not None
                set_aside(event)
            await log.execute(TAKE_AWAY, each.partition, each.common)
            events = [_row(event) for event in each.events]
            for first in range(0, len(events), 1000):
                await log.execute(PUT_BACK, *zip(*events[first : first + 1000], strict=True))
            await log.execute(HEAD, each.partition, each.events[-1].position)
        common = {each.partition: each.common for each in lacking if each.others}
        emptied = await take_back(log, views, service, common) if common else []
        changed = {event.stream for each in lacking for event in (*each.events, *each.others)}
        disputed = await _claim_anew(log, changed, deciders)
    back = [event for each in lacking for event in each.events]
    times = [event.recorded_at for event in back]
    references = [(e.community, ref) for e in back for ref in _references(msgspec.json.decode(e.data))]
    communities, refs = zip(*references, strict=True) if references else ((), ())
    return Recovered(len(back), min(times), max(times), await log.fetchval(WORDS, communities, refs), emptied, disputed)


async def _claim_anew(
    log: Driver, streams: Collection[UUID], deciders: Iterable[Decider[Any, Any]]
) -> Mapping[tuple[UUID, Claim], Sequence[UUID]]:
    """Let these streams hold what they claim, whoever holds it besides; give back what is disputed."""
    kinds = [(decider, Catalogue(facts_of(decider.evolve))) for decider in deciders]
    disputed: dict[tuple[UUID, Claim], Sequence[UUID]] = {}
    await log.execute(LET_GO, list(streams))
    for stream in sorted(streams):
        records = [Recorded("", *row) for row in await log.fetch(LOAD, stream, 0)]
        decider, catalogue = next((kind for kind in kinds if records and records[0].type in kind[1]), (None, None))
        if decider is None or catalogue is None:
            continue
        facts = [fact_of(catalogue.decode(record.type, record.data), record) for record in records]
        community = records[0].community
        for claim in sorted(decider.claimed(decider.fold(facts))):
            await log.execute(TAKE, *zip(*rows(community, [(stream, claim)]), strict=True))
            found = [row["stream"] for row in await log.fetch(HOLDERS, community, claim.scope, claim.key)]
            if len(found) > 1:
                disputed[community, claim] = found
    return disputed


def _row(event: Recorded) -> tuple[object, ...]:
    return tuple(getattr(event, column) for column in COLUMNS.split(", "))


def _references(value: Any) -> Iterator[UUID]:
    """The vault's references in an event's data, as `Text` has them."""
    if isinstance(value, dict):
        if isinstance(value.get("ref"), str):
            yield UUID(value["ref"])
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)
