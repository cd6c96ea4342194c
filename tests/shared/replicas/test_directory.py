"""The directory: who is where, folded from the member service's events; refusals wait for what is on its way."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.events.errors import TooManyRequests, Unavailable
from shared.events.event import Event, Recorded, wire_name
from shared.events.identity import Caller, derived_id
from shared.projections.heads import KEEP
from shared.projections.read_model import Put
from shared.projections.waiters import OF_A_CALLER
from shared.replicas.directory import (
    SOURCE,
    VIEW,
    ApplicationSubmitted,
    ApplicationWithdrawn,
    CommunityArchived,
    CommunityDescribed,
    CommunityFounded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RoleGranted,
    RoleRevoked,
    directory_view,
)
from shared.replicas.directory_lookup import AGE, CLOCK_BOUND, Directory
from shared.replicas.standing import Admission, Community, Standing
from tests.conftest import FreshDatabase
from tests.shared.toy import ALICE, BOB, COMMUNITY
from tests.shared.toy_service import SERVICE

VIEWED = SERVICE.directory
TABLES = SERVICE.metadata.tables
PARTITIONS = 12
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recorded(event: Event, version: int) -> Recorded:
    return Recorded(
        "member", 0, version, COMMUNITY, version, wire_name(type(event)), ALICE, COMMUNITY, ALICE, NOON, NOON, None, b""
    )


def changes(*events: Event) -> list[tuple[str, tuple[object, ...], dict[str, object]]]:
    """What the fold makes of those events, as table, key without community, and values."""
    found = []
    for version, event in enumerate(events, 1):
        for change in VIEWED.fold(event, recorded(event, version)):
            assert isinstance(change, Put)
            assert (change.key[0], change.version) == (COMMUNITY, version)
            found.append((change.table.name.removeprefix("directory_"), change.key[1:], dict(change.values)))
    return found


def test_the_fold_puts_communities_members_and_roles() -> None:
    described = {"visibility": "members", "admission": "application", "time_zone": "UTC"}
    events = [
        CommunityFounded("square", "UTC", "members", "application"),
        CommunityDescribed("UTC", "members", "application"),
        CommunityArchived(),
        ApplicationSubmitted(ALICE),
        ApplicationWithdrawn(ALICE),
        MemberJoined(ALICE),
        RoleGranted(ALICE, "moderator"),
        RoleRevoked(ALICE, "moderator"),
        MemberLeft(ALICE),
        MemberRemoved(ALICE),
    ]

    assert changes(*events) == [
        ("community", (), {"slug": "square", **described}),
        ("community", (), described),
        ("community", (), {"archived": True}),
        ("member", (ALICE,), {"status": "applicant"}),
        ("member", (ALICE,), {"status": "withdrawn"}),
        ("member", (ALICE,), {"status": "member"}),
        ("turn", (ALICE, 6), {"at": NOON, "joined": True}),
        ("role", (ALICE, "moderator"), {"granted": True}),
        ("role", (ALICE, "moderator"), {"granted": False}),
        ("member", (ALICE,), {"status": "left"}),
        ("turn", (ALICE, 9), {"at": NOON, "joined": False}),
        ("member", (ALICE,), {"status": "removed"}),
        ("turn", (ALICE, 10), {"at": NOON, "joined": False}),
    ]


def day(number: int) -> datetime:
    return NOON + timedelta(days=number)


@pytest.mark.parametrize(
    ("status", "turns", "might"),
    [
        ("none", [], ""),
        ("applicant", [], ""),
        ("member", [], "012345"),  # known from before joinings were kept
        ("left", [], ""),
        ("member", [(2, True)], "012345"),  # older than the account
        ("left", [(2, True), (4, False)], "0123"),
        ("removed", [(2, True), (4, False)], "0123"),
        ("declined", [(2, True), (4, False)], "0123"),
        ("member", [(1, True), (2, False), (4, True)], "0145"),
        ("left", [(1, True), (2, False), (4, True), (5, False)], "014"),
    ],
)
def test_who_might_act_when_follows_from_joinings_and_leavings(
    status: str, turns: list[tuple[int, bool]], might: str
) -> None:
    standing = Standing(status, frozenset(), tuple((day(at), joined) for at, joined in turns))
    assert "".join(str(n) for n in range(6) if standing.might_act_at(day(n))) == might


def test_metadata_take_one_directory() -> None:
    with pytest.raises(ValueError, match="directory already"):
        directory_view(SERVICE.metadata)


def test_the_directory_reads_the_member_service_alone() -> None:
    assert VIEWED.sources == ("member",)
    assert SERVICE.topic_read_models == (VIEWED,)


class Desk:
    """A directory on a real table, written by hand."""

    def __init__(self, directory: Directory, engine: AsyncEngine) -> None:
        self.directory = directory
        self._engine = engine

    async def execute(self, statement: sa.Executable, rows: Sequence[dict[str, object]] | None = None) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement, rows)

    async def found(self, admission: Admission = "open") -> None:
        row = {"slug": "square", "visibility": "public", "admission": admission, "time_zone": "UTC"}
        await self.execute(sa.insert(TABLES["directory_community"]).values(community=COMMUNITY, version=1, **row))

    async def join(self, *roles: str) -> None:
        key = {"community": COMMUNITY, "member": ALICE, "version": 1}
        await self.execute(sa.insert(TABLES["directory_member"]).values(**key, status="member"))
        for role in roles:
            await self.execute(sa.insert(TABLES["directory_role"]).values(**key, role=role, granted=True))

    def knows_all(self) -> None:
        """Whatever there is, the directory is held to have it."""
        self.directory.clock_bound = -math.inf

    async def read(self, partitions: int = PARTITIONS) -> None:
        """The view has been read, up to nothing, in as many partitions."""
        await self.execute(
            sa.insert(TABLES["watermark"]),
            [{"view": VIEW, "source": SOURCE, "partition": partition} for partition in range(partitions)],
        )

    async def hear(self, ago: float = 0.0, *, heads: int = 0) -> None:
        """The member service has said how far each partition of its log was then."""
        async with driver(self._engine) as connection:
            at = await connection.fetchval("select clock_timestamp()")
            await connection.execute(KEEP, SOURCE, at - timedelta(seconds=ago), [heads] * PARTITIONS, 0.1)

    async def keep_hearing(self) -> None:
        while True:
            await self.hear()
            await asyncio.sleep(0.1)

    async def ask(
        self, wanted: str = "member", *, caller: Caller | None = None
    ) -> tuple[Community | None, Standing | None, float]:
        began = time.monotonic()
        found = await self.directory.look_up(
            COMMUNITY, ALICE, lambda _, standing: standing.status == wanted, caller=caller
        )
        took = time.monotonic() - began
        return (None, None, took) if found is None else (*found, took)


@pytest.fixture
async def desk(fresh_database: FreshDatabase) -> AsyncIterator[Desk]:
    async with fresh_database(SERVICE.metadata) as settings:
        engine = create_engine(settings, "toy")
        yield Desk(Directory(engine, partitions=PARTITIONS, wait=0.6), engine)
        await engine.dispose()


async def test_a_member_is_found_with_their_roles(desk: Desk) -> None:
    await desk.found()
    await desk.join("moderator", "administrator")

    community, standing, took = await desk.ask()

    assert community == Community(COMMUNITY, "square", "public", "open", "UTC", archived=False)
    assert standing == Standing("member", frozenset({"moderator", "administrator"}))
    assert took < 0.6  # as long as it waits for what is not there


async def test_joinings_and_leavings_come_in_the_order_of_time_however_they_were_recorded(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    turns = [(3, day(9), True), (1, day(1), True), (2, day(5), False)]
    await desk.execute(
        sa.insert(TABLES["directory_turn"]),
        [
            {"community": COMMUNITY, "member": ALICE, "version": n, "turn": n, "at": at, "joined": joined}
            for n, at, joined in turns
        ],
    )

    _, standing, _ = await desk.ask()
    assert standing is not None
    assert standing.turns == ((day(1), True), (day(5), False), (day(9), True))


async def test_a_leaving_ends_the_joinings_before_it_whatever_their_time(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    turns = [(1, day(9), True), (2, day(5), False)]
    await desk.execute(
        sa.insert(TABLES["directory_turn"]),
        [
            {"community": COMMUNITY, "member": ALICE, "version": n, "turn": n, "at": at, "joined": joined}
            for n, at, joined in turns
        ],
    )

    _, standing, _ = await desk.ask()
    assert standing is not None
    assert standing.turns == ((day(5), True), (day(5), False))
    assert not standing.might_act_at(day(10))


async def test_a_directory_that_is_too_far_behind_permits_nothing(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    await desk.read()
    await desk.hear(AGE + 1)

    with pytest.raises(Unavailable):
        await desk.ask()
    await desk.hear()
    assert (await desk.ask())[1] == Standing("member", frozenset())


async def test_a_directory_that_was_never_caught_up_with_permits_for_as_long_from_the_start(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    await desk.read(PARTITIONS - 1)  # one partition was never read
    await desk.hear()
    young = Directory(desk.directory._engine, partitions=PARTITIONS, wait=0, age=0.5)
    desk.directory = young
    assert (await desk.ask())[1] == Standing("member", frozenset())

    await asyncio.sleep(0.6)
    with pytest.raises(Unavailable):
        await desk.ask()
    await desk.execute(sa.insert(TABLES["watermark"]).values(view=VIEW, source=SOURCE, partition=PARTITIONS - 1))
    await desk.hear()
    assert (await desk.ask())[1] == Standing("member", frozenset())


async def test_what_permits_is_believed_for_a_while_and_what_refuses_is_not(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    desk.knows_all()
    await desk.ask()
    await desk.execute(sa.update(TABLES["directory_member"]).values(status="left"))

    assert (await desk.ask("member"))[1] == Standing("member", frozenset())
    assert (await desk.ask("owner"))[1] == Standing("left", frozenset())


async def test_somebody_who_has_just_joined_is_not_refused_for_having_asked_before(desk: Desk) -> None:
    await desk.found()
    desk.knows_all()
    assert (await desk.ask())[1] == Standing("none", frozenset())

    await desk.join()
    assert (await desk.ask())[1] == Standing("member", frozenset())


async def test_what_is_on_its_way_is_waited_for(desk: Desk) -> None:
    async def arrive() -> None:
        await asyncio.sleep(0.2)
        await desk.found()
        await asyncio.sleep(0.1)
        await desk.join()

    _, (_, standing, took) = await asyncio.gather(arrive(), desk.ask())

    assert standing == Standing("member", frozenset())
    assert took > 0.2


async def test_what_does_not_exist_costs_a_moment_while_heads_come(desk: Desk) -> None:
    await desk.read()
    hearing = asyncio.create_task(desk.keep_hearing())
    community, _, took = await desk.ask()
    hearing.cancel()

    assert community is None
    assert took > CLOCK_BOUND  # past the wait it would be Unavailable


async def test_nobody_is_refused_by_heads_from_before_they_asked(desk: Desk) -> None:
    await desk.read()

    async def come(after: float) -> None:
        await asyncio.sleep(after)
        await desk.hear()

    _, (community, _, took) = await asyncio.gather(come(0.4), desk.ask())
    assert community is None
    assert took > 0.4  # past the wait it would be Unavailable

    with pytest.raises(Unavailable) as unknown:  # clocks may differ by so much: these may be older than the question
        await asyncio.gather(come(CLOCK_BOUND / 2), desk.ask())
    assert (unknown.value.status, unknown.value.retry_after) == (503, 1)


async def test_one_caller_waits_a_few_times_at_once_and_holds_up_nobody_else(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    greedy, patient = (Caller("issuer", subject, frozenset(), b"") for subject in ("greedy", "patient"))
    many = [asyncio.create_task(desk.ask("owner", caller=greedy)) for _ in range(OF_A_CALLER)]
    await asyncio.sleep(0.2)

    with pytest.raises(TooManyRequests):
        await desk.ask("owner", caller=greedy)
    assert (await desk.ask("member", caller=greedy))[1] == Standing("member", frozenset())
    with pytest.raises(Unavailable):
        await desk.ask("owner", caller=patient)
    assert {type(each) for each in await asyncio.gather(*many, return_exceptions=True)} == {Unavailable}
    with pytest.raises(Unavailable):
        await desk.ask("owner", caller=greedy)


@pytest.mark.parametrize("partitions", [PARTITIONS - 1, PARTITIONS])
async def test_a_directory_that_lacks_something_refuses_nobody(desk: Desk, partitions: int) -> None:
    """One partition was never read, or the log has more than was read: whoever asks may be in that."""
    await desk.read(partitions)
    await desk.found()
    hearing = asyncio.create_task(desk.keep_hearing())
    if partitions == PARTITIONS:
        hearing.cancel()
        await desk.hear(heads=1)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await desk.ask()
    hearing.cancel()

    assert 0.6 < time.monotonic() - began < 10  # it waits, and not for ever


async def test_the_member_service_itself_knows_at_once_by_its_own_log(desk: Desk) -> None:
    own = Directory(desk.directory._engine, partitions=PARTITIONS, wait=0.3, own=True)
    desk.directory = own
    await desk.read()
    community, _, _ = await desk.ask()
    assert community is None  # past the wait it would be Unavailable

    await desk.execute(sa.text("update log_partition set position = 1 where id = 3"))
    with pytest.raises(Unavailable):
        await desk.ask()
    await desk.execute(sa.text("update watermark set position = 1 where partition = 3"))
    assert (await desk.ask())[0] is None


async def test_many_who_ask_for_the_same_share_one_query(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    queries = 0

    def count(*_: object) -> None:
        nonlocal queries
        queries += 1

    original = desk.directory._query

    async def counted(community: UUID, member: UUID) -> object:
        count()
        return await original(community, member)

    desk.directory._query = counted  # type: ignore[method-assign,assignment]
    answers = await asyncio.gather(*(desk.ask() for _ in range(50)))

    assert {answer[1] for answer in answers} == {Standing("member", frozenset())}
    assert queries == 1


@pytest.mark.parametrize(
    ("view", "parked", "held"),
    [
        (VIEW, COMMUNITY, True),
        (VIEW, derived_id("membership", COMMUNITY, ALICE), True),
        (VIEW, derived_id("membership", COMMUNITY, BOB), False),
        ("roster", COMMUNITY, False),
    ],
)
async def test_nobody_may_anything_by_a_stream_of_which_something_is_parked(
    desk: Desk, view: str, parked: UUID, held: bool
) -> None:
    """What permits may have been taken back by what is parked; that the view has read it tells nothing."""
    await desk.found()
    await desk.join()
    desk.knows_all()
    waiting = {"view": view, "source": SOURCE, "partition": 0, "position": 7, "stream": parked}
    await desk.execute(sa.insert(TABLES["parked"]).values(**waiting, reason="UnknownVersion", value=b""))
    if held:
        with pytest.raises(Unavailable) as unknown:
            await desk.ask()
        assert unknown.value.retry_after == 2
        await desk.execute(sa.delete(TABLES["parked"]))
    assert (await desk.ask())[1] == Standing("member", frozenset())
