"""The directory: who is where, folded from the member service's events; refusals wait for what is on its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.directory import (
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
from shared.access.lookup import AGE, Directory
from shared.access.standing import Admission, Community, Standing
from shared.db import create_engine
from shared.errors import Unavailable
from shared.event import Event, Recorded, wire_name
from shared.views.view import Put
from tests.conftest import FreshDatabase
from tests.shared.toy import ALICE, COMMUNITY
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
    assert SERVICE.topic_views == (VIEWED,)


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

    def caught_up(self) -> None:
        """The reader in this process holds all there is for the next ten seconds."""
        now = time.monotonic() + 10
        self.directory.seen = lambda: now

    async def caught_up_elsewhere(self, partitions: int = PARTITIONS) -> None:
        """A reader in another process has written down that it held all there was, just now."""
        await self.execute(
            sa.insert(TABLES["watermark"]).values(caught_up_at=sa.text("clock_timestamp()")),
            [{"view": VIEW, "source": SOURCE, "partition": partition} for partition in range(partitions)],
        )

    async def ask(self, wanted: str = "member") -> tuple[Community | None, Standing | None, float]:
        began = time.monotonic()
        found = await self.directory.look_up(COMMUNITY, ALICE, lambda _, standing: standing.status == wanted)
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
    assert took < 0.3


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


async def test_a_directory_that_is_too_far_behind_permits_nothing(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    desk.directory.seen = lambda: time.monotonic() - AGE - 1

    with pytest.raises(Unavailable):
        await desk.ask()
    desk.caught_up()
    assert (await desk.ask())[1] == Standing("member", frozenset())


async def test_what_permits_is_believed_for_a_while_and_what_refuses_is_not(desk: Desk) -> None:
    await desk.found()
    await desk.join()
    desk.caught_up()
    await desk.ask()
    await desk.execute(sa.update(TABLES["directory_member"]).values(status="left"))

    assert (await desk.ask("member"))[1] == Standing("member", frozenset())
    assert (await desk.ask("owner"))[1] == Standing("left", frozenset())


async def test_somebody_who_has_just_joined_is_not_refused_for_having_asked_before(desk: Desk) -> None:
    await desk.found()
    desk.caught_up()
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


async def test_what_does_not_exist_costs_a_moment_while_the_directory_keeps_up(desk: Desk) -> None:
    desk.caught_up()
    community, _, took = await desk.ask()

    assert community is None
    assert took < 0.3


async def test_a_reader_in_another_process_tells_by_its_watermarks(desk: Desk) -> None:
    async def catch_up() -> None:
        await asyncio.sleep(0.2)
        await desk.caught_up_elsewhere()

    _, (community, _, took) = await asyncio.gather(catch_up(), desk.ask())

    assert community is None
    assert 0.2 < took < 0.6


async def test_a_directory_that_stays_behind_is_waited_for_no_longer_than_it_may(desk: Desk) -> None:
    await desk.caught_up_elsewhere(PARTITIONS - 1)  # one partition was never caught up with
    community, _, took = await desk.ask()

    assert community is None
    assert 0.6 < took < 1.2


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
