"""The books read real rows from a real PostgreSQL, and say what the oracle says, however the rows grow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.content.events import ThreadOpened
from services.projection.activity import activity_cache
from services.projection.activity.activity_cache import ActivityCache
from services.projection.activity.arithmetic import Active, Day, Step, active_on, activity
from services.projection.app import SERVICE
from services.projection.caches import Caches
from services.projection.days import date_of, number_of
from services.projection.influence.influence_cache import InfluenceCache
from services.projection.read_models.responses import RESPONSES
from shared.db import create_engine, driver
from shared.events.event import Recorded
from shared.projections import generations
from shared.projections.freshness import Freshness
from shared.projections.merge import Merged, merge
from shared.projections.store import Batch
from shared.projections.store_postgres import PostgresReadModelStore
from tests.conftest import FreshDatabase
from tests.projection.histories import COMMUNITY, START
from tests.projection.life import Life
from tests.projection.oracle import Action
from tests.projection.records import recorded

PARIS, KATHMANDU = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kathmandu")
FIRST = START.date()
NOON_OF_FIRST = START + timedelta(hours=12)


@pytest.fixture
async def engine(fresh_database: FreshDatabase) -> AsyncIterator[AsyncEngine]:
    async with fresh_database(SERVICE.metadata) as settings:
        engine = create_engine(settings, "projection")
        yield engine
        await engine.dispose()


async def fold(engine: AsyncEngine, records: Iterable[Recorded]) -> None:
    merged: Merged = {}
    for record in records:
        for view in SERVICE.topic_read_models:
            if record.type in view.catalogue:
                merge(view.fold(view.catalogue.decode(record.type, record.data), record), merged)
    store = PostgresReadModelStore(engine)
    await store.write(Batch(changes={"": merged}))
    await store.close()


async def check_activity(engine: AsyncEngine, caches: Caches, life: Life, zone: ZoneInfo, day: date, days: int) -> None:
    first = number_of(day)
    cache, _ = caches.of(COMMUNITY, zone)
    calendar = await cache.calendar(engine, first, first + days - 1)
    for period in activity(calendar, first, first + days - 1, Step.DAY):
        expected = life.activity(zone, date_of(period.first))
        assert {kind: n for kind, n in period.actions.items() if n} == expected.actions
        active = period.active
        assert (active.day, active.week, active.month) == (len(expected.day), len(expected.week), len(expected.month))
        assert period.new_members == len(expected.new)


async def check_influence(engine: AsyncEngine, caches: Caches, life: Life, zone: ZoneInfo, day: date) -> None:
    _, cache = caches.of(COMMUNITY, zone)
    got = await cache.influence(engine, number_of(day))
    expected = life.influence(zone, day)
    before = life.influence(zone, day - timedelta(days=30))
    ranked = [got.member_index.id_of(number) for number in got.day_scores.ranking]
    assert set(ranked) == {member for member, e in expected.items() if e.in_population}
    for member, e in expected.items():
        number = got.member_index.place_of(member)
        assert number is not None
        assert (got.day_scores.reach[number], got.day_scores.resonance[number]) == (e.reach, e.resonance)
        assert abs(got.day_scores.authority[number] - e.authority) <= 1
        b = before.get(member)
        score = 5000 * e.reach + e.resonance + e.authority
        score_before = 5000 * b.reach + b.resonance + b.authority if b else 0
        assert abs(got.trend(number) - (score - score_before)) <= 2


@pytest.mark.parametrize("seed", range(3))
async def test_books_follow_what_is_folded(engine: AsyncEngine, seed: int) -> None:
    life, caches = Life(seed), Caches()
    for events in (0, 150, 1, 1, 60, 5):
        if records := life.goes_on(events):
            await fold(engine, records)
        for zone in (PARIS, KATHMANDU):
            await check_activity(engine, caches, life, zone, FIRST - timedelta(days=1), 45)
            for days in (0, 2, 60, 400):
                await check_influence(engine, caches, life, zone, FIRST + timedelta(days=days))


async def test_what_comes_late_makes_a_later_day_no_longer_the_first(engine: AsyncEngine) -> None:
    life, caches = Life(7), Caches()
    records = life.goes_on(80)
    late_first = sorted(records, key=lambda record: record.occurred_at, reverse=True)
    for part in (late_first[:40], late_first[40:]):
        await fold(engine, part)
        cache, _ = caches.of(COMMUNITY, PARIS)
        await cache.calendar(engine, number_of(FIRST), number_of(FIRST) + 3)
    await check_activity(engine, caches, life, PARIS, FIRST, 60)


async def test_an_action_that_is_no_response_brings_its_member_into_the_ranking(engine: AsyncEngine) -> None:
    life, caches = Life(4), Caches()
    await fold(engine, life.goes_on(30))
    await check_influence(engine, caches, life, PARIS, FIRST + timedelta(days=5))
    newcomer = uuid5(COMMUNITY, "newcomer")
    await fold(engine, life.joins(newcomer, NOON_OF_FIRST))
    life.actions.append(Action(NOON_OF_FIRST, "thread", newcomer))
    await fold(engine, [recorded(ThreadOpened(newcomer, newcomer, newcomer, None, ()), NOON_OF_FIRST)])
    await check_influence(engine, caches, life, PARIS, FIRST + timedelta(days=5))


async def test_who_appears_late_in_the_earlier_window_alone_disturbs_no_trend(engine: AsyncEngine) -> None:
    life, caches = Life(4), Caches()
    await fold(engine, life.goes_on(30))
    await check_influence(engine, caches, life, PARIS, FIRST + timedelta(days=400))
    newcomer = uuid5(COMMUNITY, "newcomer")
    await fold(engine, life.joins(newcomer, NOON_OF_FIRST))
    life.actions.append(Action(NOON_OF_FIRST + timedelta(days=20), "thread", newcomer))
    thread = ThreadOpened(newcomer, newcomer, newcomer, None, ())
    await fold(engine, [recorded(thread, NOON_OF_FIRST + timedelta(days=20))])
    await check_influence(engine, caches, life, PARIS, FIRST + timedelta(days=400))


async def test_a_question_that_was_given_up_while_it_was_computed_leaves_nothing_behind(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    life, caches = Life(7), Caches()
    await fold(engine, life.goes_on(80))
    computing, go_on = threading.Event(), threading.Event()

    def slowly(day: int, days: Mapping[int, Day]) -> Active:
        computing.set()
        go_on.wait(10)
        return active_on(day, days)

    with monkeypatch.context() as patch:
        patch.setattr(activity_cache, "active_on", slowly)
        given_up = asyncio.create_task(check_activity(engine, caches, life, PARIS, FIRST, 5))
        await asyncio.to_thread(computing.wait, 10)
        given_up.cancel()
        await asyncio.wait([given_up])
    await fold(engine, life.goes_on(80))
    await check_activity(engine, caches, life, PARIS, FIRST, 5)
    go_on.set()
    await asyncio.sleep(0.1)  # the thread comes to its end

    await check_activity(engine, caches, life, PARIS, FIRST, 5)


async def test_an_empty_community_has_quiet_days_and_no_ranking(engine: AsyncEngine) -> None:
    await check_activity(engine, Caches(), Life(0), PARIS, FIRST, 3)
    await check_influence(engine, Caches(), Life(0), PARIS, FIRST)


def far(position: int, lag: int = 0) -> Freshness:
    positions = {"content": [position], "engagement": [7]}
    return Freshness(positions=positions, complete_until=None, lag_events=lag, lag_seconds=0.0)


async def scores_of(cache: InfluenceCache, engine: AsyncEngine, day: int) -> dict[UUID, int]:
    found = await cache.influence(engine, day)
    return {found.member_index.id_of(n): int(found.day_scores.score[n]) for n in found.day_scores.ranking}


async def test_a_large_community_is_answered_from_what_is_kept_which_says_so_while_the_next_is_made(
    engine: AsyncEngine,
) -> None:
    life, day = Life(5), number_of(FIRST) + 60
    await fold(engine, life.goes_on(60))
    cache = InfluenceCache(ActivityCache(COMMUNITY, PARIS), large=1)
    first = await cache.influence(engine, day, far(60), wait=False)
    assert first.freshness == far(60)

    await fold(engine, life.goes_on(40))
    kept = await cache.influence(engine, day, far(100, lag=2), wait=False)
    assert kept.day_scores is first.day_scores
    assert kept.freshness is not None
    assert (kept.freshness.positions, kept.freshness.lag_events) == (far(60).positions, 42)
    assert kept.freshness.lag_seconds > 0

    async with asyncio.timeout(20):
        while (renewed := await cache.influence(engine, day, far(100), wait=False)).day_scores is first.day_scores:
            await asyncio.sleep(0.01)
    assert renewed.freshness == far(100)
    exact = InfluenceCache(ActivityCache(COMMUNITY, PARIS))
    assert await scores_of(cache, engine, day) == await scores_of(exact, engine, day)


async def test_who_waits_for_a_write_is_never_answered_from_what_is_kept(engine: AsyncEngine) -> None:
    life, day = Life(6), number_of(FIRST) + 60
    cache = InfluenceCache(ActivityCache(COMMUNITY, PARIS), large=1)
    for position in (60, 61, 62):
        await fold(engine, life.goes_on(60 if position == 60 else 1))
        found = await cache.influence(engine, day, far(position), wait=True)
        assert found.freshness == far(position)
        exact = InfluenceCache(ActivityCache(COMMUNITY, PARIS))
        assert await scores_of(cache, engine, day) == await scores_of(exact, engine, day)


async def test_what_is_kept_is_not_answered_after_a_long_silence(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    life, day = Life(8), number_of(FIRST) + 60
    monkeypatch.setattr("services.projection.influence.influence_cache.MOST_BEHIND", 0.0)
    cache = InfluenceCache(ActivityCache(COMMUNITY, PARIS), large=1)
    for position in (60, 90):
        await fold(engine, life.goes_on(60 if position == 60 else 30))
        found = await cache.influence(engine, day, far(position), wait=False)
        assert found.freshness == far(position)


async def test_scores_go_on_being_computed_when_who_asked_for_it_has_gone(engine: AsyncEngine) -> None:
    await fold(engine, Life(9).goes_on(60))
    cache, day = InfluenceCache(ActivityCache(COMMUNITY, PARIS)), number_of(FIRST) + 60
    begun = asyncio.create_task(cache.influence(engine, day))
    while not cache.renewing():
        await asyncio.sleep(0)
    begun.cancel()
    async with asyncio.timeout(20):
        while cache.renewing():
            await asyncio.sleep(0.01)
    assert cache.rows > 0


async def test_a_rebuilt_view_is_read_anew_though_it_counts_the_same(engine: AsyncEngine) -> None:
    life, day = Life(10), number_of(FIRST) + 60
    await fold(engine, life.goes_on(60))
    days = ActivityCache(COMMUNITY, PARIS)
    cache = InfluenceCache(days)
    before = await scores_of(cache, engine, day)
    await generations.make(engine, RESPONSES)
    async with driver(engine) as db, db.transaction():
        await db.execute("insert into response_change__next select * from response_change")
        await db.execute(
            "insert into response__next select community, slot, receiver, sender, kind, post, importer, brought, 9"
            " from response"
        )
        await generations.take_over(db, RESPONSES)
    after = await scores_of(cache, engine, day)
    assert after != before
    assert after == await scores_of(InfluenceCache(days), engine, day)
