"""What every log must do; an implementation's test module inherits this class and provides the fixture `log`."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from shared.events.claim import Claim
from shared.events.errors import AlreadyMade
from shared.log.keys import IdempotencyKey
from shared.log.port import (
    Append,
    ClaimTaken,
    Guard,
    Log,
    NewEvent,
    Position,
    VaultRow,
    VersionConflict,
    Write,
    partition_of,
)
from tests.shared.toy import ALICE, COMMUNITY, NOON, stream


def event(name: str = "guildhall.toy.deposited.v1", data: bytes = b'{"amount":1}') -> NewEvent:
    return NewEvent(uuid4(), name, data)


def request(*writes: Write, secrets: tuple[VaultRow, ...] = ()) -> Append:
    return Append(COMMUNITY, ALICE, NOON, None, writes, secrets)


def one(number: int, expected: int, events: int = 1) -> Append:
    return request(Write(stream(number), expected, tuple(event() for _ in range(events))))


def guarded(number: int, expected: int, *guards: tuple[int, int]) -> Append:
    """One event for a stream, that rests on others: `(number, version)`."""
    return replace(one(number, expected), guards=tuple(Guard(stream(other), version) for other, version in guards))


ROSE, TULIP = Claim("name", "rose", "/name"), Claim("name", "tulip", "/name")


def claiming(number: int, expected: int, *taken: Claim, released: tuple[Claim, ...] = ()) -> Append:
    """One event for a stream, which takes and releases these."""
    mine, former = ((stream(number), each) for each in taken), ((stream(number), each) for each in released)
    return replace(one(number, expected), taken=tuple(mine), released=tuple(former))


async def holders(log: Log, claim: Claim = ROSE) -> list[UUID]:
    return list(await log.holders_of(COMMUNITY, claim))


async def outcome(log: Log, append: Append) -> list[Position] | None:
    """The positions, or None for a conflict."""
    try:
        return await log.append(append)
    except VersionConflict:
        return None


async def positions(log: Log) -> dict[int, list[int]]:
    return {p: [r.position for r in await log.follow(p, 0, 100_000)] for p in range(log.partitions)}


class LogConformance:
    async def test_an_event_is_loaded_as_it_was_appended(self, log: Log) -> None:
        append = one(1, 0, events=2)

        where = await log.append(append)

        records = await log.load(stream(1))
        assert [Position(r.partition, r.position) for r in records] == where
        assert [(r.stream, r.version, r.id) for r in records] == [
            (stream(1), 1, append.writes[0].events[0].id),
            (stream(1), 2, append.writes[0].events[1].id),
        ]
        first = records[0]
        assert (first.service, first.community, first.actor, first.occurred_at, first.causation, first.data) == (
            log.service,
            COMMUNITY,
            ALICE,
            NOON,
            None,
            b'{"amount":1}',
        )

    async def test_a_trace_comes_back_with_every_event_of_its_append_and_with_no_other(self, log: Log) -> None:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        alone = replace(one(1, 0), traceparent=trace)
        several = replace(
            request(Write(stream(2), 0, (event(), event())), Write(stream(3), 0, (event(),))), traceparent=trace
        )

        await asyncio.gather(log.append(alone), log.append(several), log.append(one(4, 0)))

        found = {n: [r.traceparent for r in await log.load(stream(n))] for n in (1, 2, 3, 4)}
        assert found == {1: [trace], 2: [trace, trace], 3: [trace], 4: [None]}
        followed = [r for p in range(log.partitions) for r in await log.follow(p, 0, 10)]
        assert {r.stream: r.traceparent for r in followed}[stream(2)] == trace

    async def test_who_brought_it_in_comes_back_with_every_event_of_its_append_and_with_no_other(
        self, log: Log
    ) -> None:
        words = (VaultRow(COMMUNITY, ALICE, stream(9), b"{}"),)
        alone = replace(one(1, 0), imported_by=stream(7), secrets=words)
        several = replace(
            request(Write(stream(2), 0, (event(), event())), Write(stream(3), 0, (event(),))), imported_by=stream(8)
        )

        await asyncio.gather(log.append(alone), log.append(several), log.append(one(4, 0)))

        found = {n: [r.imported_by for r in await log.load(stream(n))] for n in (1, 2, 3, 4)}
        assert found == {1: [stream(7)], 2: [stream(8), stream(8)], 3: [stream(8)], 4: [None]}
        followed = [r for p in range(log.partitions) for r in await log.follow(p, 0, 10)]
        assert {r.stream: r.imported_by for r in followed}[stream(1)] == stream(7)

    async def test_a_key_is_taken_once_with_what_is_written_and_not_with_what_is_refused(self, log: Log) -> None:
        first, other = (IdempotencyKey(uuid4(), b"said", NOON) for _ in range(2))
        with pytest.raises(VersionConflict):
            await log.append(replace(one(1, 5), key=first))
        written = replace(one(1, 0), key=first)
        where = await log.append(written)

        with pytest.raises(AlreadyMade):
            await log.append(replace(one(1, 1), key=first))
        assert await log.append(replace(one(2, 0), key=other)) != where
        assert [len(await log.load(stream(n))) for n in (1, 2)] == [1, 1]

    async def test_of_appends_with_one_key_at_once_one_is_written_and_those_beside_them_too(self, log: Log) -> None:
        key, words = IdempotencyKey(uuid4(), b"said", NOON), (VaultRow(COMMUNITY, ALICE, stream(9), b"{}"),)
        appends = [replace(one(n, 0), key=key, secrets=words) for n in range(1, 6)]

        tried = await asyncio.gather(*(log.append(append) for append in (*appends, one(6, 0))), return_exceptions=True)

        assert [type(each) for each in tried].count(AlreadyMade) == 4
        assert sum([len(await log.load(stream(n))) for n in range(1, 6)]) == 1
        assert len(await log.load(stream(6))) == 1

    async def test_what_one_stream_claims_no_other_gets_until_it_is_released(self, log: Log) -> None:
        assert await holders(log) == []
        await log.append(claiming(1, 0, ROSE))

        with pytest.raises(ClaimTaken) as refused:
            await log.append(claiming(2, 0, TULIP, ROSE))
        assert refused.value.claim == ROSE
        assert (await holders(log), await holders(log, TULIP), await log.load(stream(2))) == ([stream(1)], [], [])
        await log.append(claiming(1, 1, TULIP, released=(ROSE,)))
        await log.append(claiming(2, 0, ROSE))

        assert (await holders(log), await holders(log, TULIP)) == ([stream(2)], [stream(1)])

    async def test_a_claim_is_of_its_community_and_of_its_scope(self, log: Log) -> None:
        await log.append(claiming(1, 0, ROSE))
        await log.append(replace(claiming(2, 0, ROSE), community=uuid4()))
        await log.append(claiming(3, 0, Claim("slug", "rose")))

        assert await holders(log) == [stream(1)]

    async def test_what_a_stream_has_it_may_take_again_and_release_twice(self, log: Log) -> None:
        await log.append(claiming(1, 0, ROSE))
        await log.append(claiming(1, 1, ROSE))
        assert await holders(log) == [stream(1)]
        await log.append(claiming(1, 2, released=(ROSE,)))
        await log.append(claiming(1, 3, released=(ROSE,)))
        assert await holders(log) == []

    async def test_streams_of_one_append_may_change_what_they_have(self, log: Log) -> None:
        await log.append(claiming(1, 0, ROSE))
        await log.append(claiming(2, 0, TULIP))
        moved = request(Write(stream(1), 1, (event(),)), Write(stream(2), 1, (event(),)))
        before, after = ((stream(1), ROSE), (stream(2), TULIP)), ((stream(1), TULIP), (stream(2), ROSE))

        await log.append(replace(moved, taken=after, released=before))

        assert (await holders(log), await holders(log, TULIP)) == ([stream(2)], [stream(1)])

    async def test_what_is_refused_claims_and_releases_nothing(self, log: Log) -> None:
        await log.append(claiming(1, 0, ROSE))
        with pytest.raises(VersionConflict):
            await log.append(claiming(1, 7, TULIP, released=(ROSE,)))
        assert (await holders(log), await holders(log, TULIP)) == ([stream(1)], [])

    async def test_an_append_with_a_claim_that_is_repeated_finds_what_it_wrote(self, log: Log) -> None:
        append = claiming(1, 0, ROSE)
        where = await log.append(append)
        assert await log.append(append) == where
        await log.append(claiming(1, 1, released=(ROSE,)))
        await log.append(claiming(2, 0, ROSE))
        assert await log.append(append) == where
        assert await holders(log) == [stream(2)]

    async def test_of_many_that_take_one_key_at_once_one_gets_it(self, log: Log) -> None:
        for turn in range(20):
            key, numbers = Claim("name", f"key {turn}"), range(turn * 10, turn * 10 + 8)
            appends = [claiming(number, 0, key) for number in numbers]
            tried = await asyncio.gather(*map(log.append, appends), return_exceptions=True)

            assert [type(each) for each in tried].count(ClaimTaken) == 7
            written = [stream(number) for number in numbers if await log.load(stream(number))]
            assert await holders(log, key) == written

    async def test_names_that_are_exchanged_at_once_never_have_two_holders(self, log: Log) -> None:
        await asyncio.gather(*(log.append(claiming(n, 0, Claim("name", str(n)))) for n in range(4)))
        versions, holds = dict.fromkeys(range(4), 1), {n: n for n in range(4)}

        async def change(n: int, wanted: int) -> None:
            try:
                taken, left = Claim("name", str(wanted)), Claim("name", str(holds[n]))
                await log.append(claiming(n, versions[n], taken, released=(left,)))
            except ClaimTaken:
                return
            versions[n], holds[n] = versions[n] + 1, wanted

        for _ in range(30):
            others = [random.choice([key for key in range(6) if key != holds[n]]) for n in range(4)]
            await asyncio.gather(*(change(n, wanted) for n, wanted in enumerate(others)))
            found = {key: await holders(log, Claim("name", str(key))) for key in range(6)}
            assert found == {key: [stream(n) for n in range(4) if holds[n] == key] for key in range(6)}

    async def test_a_stream_is_loaded_after_a_version(self, log: Log) -> None:
        await log.append(one(1, 0, events=5))

        assert [r.version for r in await log.load(stream(1), 3)] == [4, 5]
        assert await log.load(stream(2)) == []

    async def test_the_version_that_was_expected_decides(self, log: Log) -> None:
        await log.append(one(1, 0))

        with pytest.raises(VersionConflict):
            await log.append(one(1, 0))
        assert len(await log.load(stream(1))) == 1

    async def test_a_version_ahead_of_the_stream_is_refused_alone_and_among_others(self, log: Log) -> None:
        words = (VaultRow(COMMUNITY, ALICE, stream(9), b"{}"),)
        await log.append(one(1, 0))

        for append in (one(1, 2), one(2, 1), one(1, 2, events=2), replace(one(1, 5), secrets=words)):
            assert await outcome(log, append) is None
        together = request(Write(stream(1), 1, (event(),)), Write(stream(2), 3, (event(),)))
        assert await outcome(log, together) is None
        mixed = await asyncio.gather(*(outcome(log, one(number, number % 2)) for number in range(20, 40)))

        assert [answer is None for answer in mixed] == [False, True] * 10
        assert [r.version for r in await log.load(stream(1))] == [1]
        assert await log.load(stream(2)) == []

    async def test_an_append_to_several_streams_is_written_whole_or_not_at_all(self, log: Log) -> None:
        await log.append(one(2, 0))

        torn = request(
            Write(stream(1), 0, (event(),)), Write(stream(2), 0, (event(),)), Write(stream(3), 0, (event(),))
        )
        with pytest.raises(VersionConflict):
            await log.append(torn)

        assert (await log.load(stream(1)), await log.load(stream(3))) == ([], [])
        whole = request(Write(stream(1), 0, (event(),)), Write(stream(2), 1, (event(), event())))
        assert len(await log.append(whole)) == 3

    async def test_an_append_that_is_repeated_finds_what_it_wrote(self, log: Log) -> None:
        append = request(Write(stream(1), 0, (event(), event())), Write(stream(2), 0, (event(),)))

        first = await log.append(append)

        assert await log.append(append) == first
        assert sum(await log.heads()) == 3

    async def test_positions_have_no_gaps_after_conflicts(self, log: Log) -> None:
        await log.append(one(1, 0))
        for _ in range(3):
            assert await outcome(log, one(1, 0)) is None
        await log.append(one(1, 1))

        assert await positions(log) == {
            p: [1, 2] if p == partition_of(stream(1), log.partitions) else [] for p in range(log.partitions)
        }

    async def test_a_conflict_in_a_batch_does_not_fail_its_neighbours(self, log: Log) -> None:
        await log.append(one(0, 0))

        answers = await asyncio.gather(*(outcome(log, one(number, 0)) for number in range(40)))

        assert [answer is None for answer in answers] == [True] + [False] * 39

    async def test_of_two_concurrent_appends_to_one_version_one_wins(self, log: Log) -> None:
        answers = await asyncio.gather(*(outcome(log, one(7, 0)) for _ in range(10)))

        assert sum(answer is not None for answer in answers) == 1
        assert len(await log.load(stream(7))) == 1

    async def test_an_append_takes_effect_only_while_what_it_rests_on_is_at_that_version(self, log: Log) -> None:
        await log.append(one(1, 0, events=2))

        for behind_or_ahead in (0, 1, 3):
            assert await outcome(log, guarded(2, 0, (1, behind_or_ahead))) is None
        assert await outcome(log, guarded(2, 0, (1, 2), (3, 1))) is None
        assert await log.load(stream(2)) == []
        assert await outcome(log, guarded(2, 0, (1, 2), (3, 0))) is not None

    async def test_a_guarded_append_that_is_repeated_finds_what_it_wrote(self, log: Log) -> None:
        append = guarded(2, 0, (1, 0))
        first = await log.append(append)
        await log.append(one(1, 0))

        assert await log.append(append) == first

    async def test_a_guard_that_does_not_hold_fails_none_of_its_neighbours(self, log: Log) -> None:
        appends = [guarded(number, 0, (99, number % 2)) for number in range(40)]

        answers = await asyncio.gather(*(outcome(log, append) for append in appends))

        assert [answer is None for answer in answers] == [bool(number % 2) for number in range(40)]

    @pytest.mark.parametrize("seed", range(8))
    async def test_of_two_appends_that_rest_on_what_the_other_writes_one_wins(self, log: Log, seed: int) -> None:
        """The last two owners who both go: each decided while the other was there."""
        chance = random.Random(seed)
        pairs = [(guarded(2 * n, 0, (2 * n + 1, 0)), guarded(2 * n + 1, 0, (2 * n, 0))) for n in range(30)]
        appends = [append for pair in pairs for append in pair]
        chance.shuffle(appends)

        answers = await asyncio.gather(*(outcome(log, append) for append in appends))

        won = {append.writes[0].stream for append, answer in zip(appends, answers, strict=True) if answer is not None}
        assert [len({stream(2 * n), stream(2 * n + 1)} & won) for n in range(30)] == [1] * 30

    async def test_guards_in_every_order_never_wait_for_each_other(self, log: Log) -> None:
        chance = random.Random(7)
        versions = dict.fromkeys(range(12), 0)

        async def write(_: int) -> None:
            for _ in range(10):
                first, *others = chance.sample(range(12), 4)
                append = guarded(first, versions[first], *((other, versions[other]) for other in others))
                if await outcome(log, append) is not None:
                    versions[first] += 1

        async with asyncio.timeout(60):
            await asyncio.gather(*(write(n) for n in range(16)))

        assert sum(versions.values()) == sum(await log.heads()) > 0

    @pytest.mark.parametrize("seed", range(8))
    async def test_any_concurrent_appends_leave_positions_and_versions_without_gaps(self, log: Log, seed: int) -> None:
        chance = random.Random(seed)
        versions: dict[int, int] = {}

        async def write(number: int) -> None:
            expected, events = versions.get(number, 0), chance.randint(1, 4)
            if chance.random() < 0.2:
                expected += chance.choice([-1, 0, 0, 0])
            await asyncio.sleep(chance.random() * 0.002)
            if await outcome(log, one(number, max(expected, 0), events)) is not None:
                versions[number] = max(expected, 0) + events

        await asyncio.gather(*(write(chance.randrange(25)) for _ in range(120)))

        for partition, found in (await positions(log)).items():
            assert found == list(range(1, len(found) + 1)), partition
        assert await log.heads() == [len(found) for found in (await positions(log)).values()]
        for number in range(25):
            found = [r.version for r in await log.load(stream(number))]
            assert found == list(range(1, len(found) + 1)), number

    async def test_a_follower_never_sees_a_position_before_the_one_below_it(self, log: Log) -> None:
        done = asyncio.Event()

        async def write(writer: int) -> None:
            for index in range(60):
                await outcome(log, one(writer, index))
                if index % 7 == 3:
                    await outcome(log, one(writer, 0))

        async def follow(partition: int) -> list[int]:
            seen: list[int] = []
            while True:
                last = done.is_set()
                seen += [r.position for r in await log.follow(partition, len(seen), 10)]
                if last and len(seen) == (await log.heads())[partition]:
                    return seen
                await asyncio.sleep(0.001)

        followers = [asyncio.create_task(follow(partition)) for partition in range(log.partitions)]
        await asyncio.gather(*(write(writer) for writer in range(8)))
        done.set()

        for seen in await asyncio.gather(*followers):
            assert seen == list(range(1, len(seen) + 1))

    async def test_a_partition_is_followed_in_slices(self, log: Log) -> None:
        await log.append(one(1, 0, events=9))
        partition = partition_of(stream(1), log.partitions)

        assert [r.position for r in await log.follow(partition, 0, 4)] == [1, 2, 3, 4]
        assert [r.position for r in await log.follow(partition, 8, 4)] == [9]
        assert await log.follow(partition, 9, 4) == []
