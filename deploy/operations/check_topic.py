"""The topic: shaped like the log and kept for ever, and holding every position that the relay says it has."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.operations.findings import Finding, broken, ok, places, warning
from deploy.operations.topics import Topics
from shared.kafka.topics import DEFAULT_LIMIT, BrokerAway, TopicProblem, check_topic, topic_of
from shared.log.port import LARGEST_EVENT
from shared.settings import Settings

ENVELOPE = 4_096
"""Bytes that a record has around an event's data, at most."""

NEWEST = 500
"""Records of each partition that are looked at where not all are."""
STRANGER = "Find out who else may write to the topic and take the right away; change the password that was used."


async def shape(settings: Settings, service: str) -> Finding:
    """It exists, with the right partitions, settings and limits."""
    check, name = "topic", topic_of(service)
    try:
        topic = await check_topic(settings, service)
    except BrokerAway:
        raise
    except TopicProblem as problem:
        meaning, _, action = str(problem).partition(". ")
        return broken(check, service, f"{meaning}.", action)
    if topic is None:
        return broken(
            check,
            service,
            f"Topic {name} does not exist: nothing reaches projection and partners. The log has everything.",
            f"guildhall topics {service}; the relay fills it again by itself.",
        )
    if topic.batch_limit < LARGEST_EVENT + ENVELOPE:
        return broken(
            check,
            service,
            f"{name} takes {topic.batch_limit:,} bytes, and an event may have {LARGEST_EVENT:,}: one that is larger "
            "stops its partition.",
            f"Set max.message.bytes={DEFAULT_LIMIT} on the topic.",
        )
    if topic.batch_limit < DEFAULT_LIMIT:
        return warning(
            check,
            service,
            f"{name} takes batches of {topic.batch_limit:,} bytes only: the relay sends more and smaller ones.",
            f"Set max.message.bytes={DEFAULT_LIMIT} on the topic.",
        )
    return ok(check, service, f"{topic.partitions} partitions, kept for ever.")


async def contents(
    topics: Topics, service: str, ends: Sequence[int], heads: Sequence[int], relayed: Sequence[int]
) -> Finding:
    """It ends where the relay says, not beyond the log, and has room for all positions before that.

    `ends` were asked after `relayed` and before `heads`, so neither can be ahead by mere time.
    """
    check = "topic contents"
    late = [f"partition {p} at offset {begin}" for p, begin in enumerate(await topics.begins(service)) if begin]
    if late:
        return broken(
            check,
            service,
            f"The topic has lost its beginning ({places(late)}): who is new, or begins again, cannot read it.",
            f"Delete the topic and run `guildhall topics {service}`; the relay fills it again from the log.",
        )
    last = await topics.last(service, ends)
    # Where the log has nothing yet there is nothing to send behind a stranger's record; `newest` tells of it.
    foreign = [
        f"partition {p} at offset {seen.offset}"
        for p, seen in sorted(last.items())
        if seen.position is None and heads[p]
    ]
    if foreign:
        return broken(
            check,
            service,
            f"The last record of {topic_of(service)} is not the log's: {places(foreign)}.",
            f"{STRANGER} The relay sends that partition again at its next start; readers skip what they have.",
        )
    at = [(last[p].position if p in last else 0) or 0 for p in range(len(ends))]
    ahead = [f"partition {p}: {a} of {h}" for p, (a, h) in enumerate(zip(at, heads, strict=False)) if a > h]
    if ahead:
        return broken(
            check,
            service,
            f"The topic has events that the log has not ({places(ahead)}): the database went back, by a restore or "
            "to a replica that was behind. Nothing is written until they are put back.",
            f"guildhall recover {service} --look, then without --look.",
        )
    lost = [
        f"partition {p}: {a} of {r}"
        for p, (a, r, e) in enumerate(zip(at, relayed, ends, strict=False))
        if a < r or e < a
    ]
    if lost:
        return broken(
            check,
            service,
            f"The topic has less than was relayed ({places(lost)}): it was made anew or lost its end or its beginning.",
            f"The relay fills it again within seconds. If this stays, restart the worker: guildhall run {service}",
        )
    return ok(check, service, f"Ends at the positions that were relayed, {sum(ends):,} records.")


async def newest(topics: Topics, service: str, ends: Sequence[int]) -> Finding:
    """The last records of each partition are the log's own."""
    records, foreign = 0, list[str]()
    async for seen in topics.records(service, ends, NEWEST):
        records += 1
        if seen.position is None:
            foreign.append(f"partition {seen.partition} at offset {seen.offset}")
    if foreign:
        return _stranger("topic records", service, foreign)
    return ok("topic records", service, f"The newest {records:,} records are the log's (--full looks at all).")


async def whole(topics: Topics, service: str, ends: Sequence[int]) -> Finding:
    """Read from the beginning: all is the log's, the first appearance of each position follows the one before it."""
    check = "topic whole"
    reached = [0] * len(ends)
    records = repeats = 0
    holes: dict[int, str] = {}
    foreign: list[str] = []
    async for seen in topics.records(service, ends):
        partition, position = seen.partition, seen.position
        records += 1
        if position is None:
            foreign.append(f"partition {partition} at offset {seen.offset}")
        elif position <= reached[partition]:
            repeats += 1
        elif position == reached[partition] + 1:
            reached[partition] = position
        else:
            holes.setdefault(partition, f"partition {partition} has {position} after {reached[partition]}")
    if holes:
        return broken(
            check,
            service,
            f"Positions are missing on the topic: {places(list(holes.values()))}. Readers stop there.",
            f"Delete the topic and run `guildhall topics {service}`; the relay fills it again from the log.",
        )
    if foreign:
        return _stranger(check, service, foreign)
    return ok(check, service, f"{records:,} records read, no position missing, {repeats:,} repeated.")


def _stranger(check: str, service: str, found: list[str]) -> Finding:
    return warning(
        check,
        service,
        f"{len(found):,} records on {topic_of(service)} are not the log's ({places(found)}): somebody else wrote "
        "them, or they are older than signatures. Readers pass over them.",
        f"{STRANGER} A topic that is deleted and made again with `guildhall topics {service}` is filled from the log "
        "without them.",
    )
