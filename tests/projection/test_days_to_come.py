"""Days that have not begun, in the community's time zone, are no days."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.content.events import ReplyPosted, ThreadOpened
from services.member.events import CommunityFounded, MemberJoined
from shared.events.event import Recorded
from tests.projection.conftest import Hall
from tests.projection.histories import COMMUNITY, MEMBERS
from tests.projection.records import recorded

ALICE, BOB = MEMBERS[:2]
THREAD = UUID(int=1)
ZONES = ("Pacific/Kiritimati", "Pacific/Pago_Pago")
"""It is never the same day in both."""


async def today(hall: Hall, zone: str) -> date:
    await hall.tells(COMMUNITY, CommunityFounded("guild", "Guild", "", "fr", zone, "public", "open", ALICE))
    return datetime.now(ZoneInfo(zone)).date()


def every_day(days: int) -> Iterator[Recorded]:
    """Alice and Bob join, and both act on each of the last days until now; Bob answers Alice."""
    now = datetime.now(UTC)
    start = now - timedelta(days=days)
    for who in (ALICE, BOB):
        yield recorded(MemberJoined(who, "open", 1), start, stream=who)
    for back in range(days + 1):
        at = now - timedelta(days=back)
        yield recorded(ThreadOpened(UUID(int=900 + back), THREAD, ALICE, None, ()), at, position=2 * back + 1)
        reply = ReplyPosted(UUID(int=500 + back), THREAD, ALICE, BOB, None)
        yield recorded(reply, at, position=2 * back + 2)


def end_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("to", ["the end of the month", "2099-12-31", "next year"])
async def test_a_month_that_has_not_ended_is_of_its_days_so_far(hall: Hall, zone: str, to: str) -> None:
    now = await today(hall, zone)
    await hall.happens(*every_day(35))
    ends = {"the end of the month": end_of_month(now), "next year": now.replace(month=1, day=1) + timedelta(days=400)}
    last = str(ends.get(to, to))
    (month,) = (await hall.json("activity", {"from": now.replace(day=1), "to": last, "step": "month"}))["items"]
    assert month["stickiness"] == 1.0
    assert month["active"] == {"day": 2, "week": 2, "month": 2}
    assert month["actions"]["reply"] == now.day
    assert (month["new_members"], month["returning_members"]) == (0, 2)
    for step in ("day", "week"):
        items = (await hall.json("activity", {"from": now - timedelta(days=20), "to": last, "step": step}))["items"]
        assert all(item["stickiness"] == 1.0 and item["active"]["day"] == 2 for item in items)
        assert items[-1]["day"] == str(now if step == "day" else now - timedelta(days=now.weekday()))


@pytest.mark.parametrize("zone", ZONES)
async def test_a_series_ends_today_where_the_community_is(hall: Hall, zone: str) -> None:
    now = await today(hall, zone)
    far: dict[str, Any] = {"to": now + timedelta(days=1000)}
    items = (await hall.json("activity", far))["items"]
    assert [item["day"] for item in items] == [str(now - timedelta(days=n)) for n in reversed(range(30))]
    table = list(csv.DictReader(StringIO((await hall.get("activity", {**far, "format": "csv"})).text)))
    assert [row["day"] for row in table] == [item["day"] for item in items]


async def test_a_series_that_would_begin_in_the_future_is_empty(hall: Hall) -> None:
    tomorrow = await today(hall, "Europe/Paris") + timedelta(days=1)
    for asked in ({}, {"to": tomorrow}, {"to": tomorrow + timedelta(days=9_000)}):
        for step in ("day", "week", "month"):
            series = {"from": tomorrow, **asked, "step": step}
            assert (await hall.json("activity", series))["items"] == []
            table = (await hall.get("activity", {**series, "format": "csv"})).text
            assert len(table.splitlines()) == 1
    backwards = {"from": tomorrow + timedelta(days=2), "to": tomorrow}
    assert "`from`" in (await hall.get("activity", backwards, expect=422)).text


@pytest.mark.parametrize(
    ("now", "zone", "day"),
    [
        ("2031-03-31T21:59:59.999999+00:00", "Europe/Paris", "2031-03-31"),
        ("2031-03-31T22:00:00+00:00", "Europe/Paris", "2031-04-01"),
        ("2031-03-31T22:00:00+00:00", "America/New_York", "2031-03-31"),
    ],
)
async def test_what_day_it_is_the_runtimes_clock_tells(
    hall: Hall, monkeypatch: pytest.MonkeyPatch, now: str, zone: str, day: str
) -> None:
    await today(hall, zone)
    monkeypatch.setattr(hall.api.runtime, "clock", lambda: datetime.fromisoformat(now))
    assert (await hall.json("activity"))["items"][-1]["day"] == day
    assert [(await hall.json("influence", asked))["as_of"] for asked in ({}, {"as_of": "2031-12-24"})] == [day, day]


@pytest.mark.parametrize("zone", ZONES)
async def test_influence_as_of_a_day_to_come_is_that_of_today(hall: Hall, zone: str) -> None:
    now = await today(hall, zone)
    await hall.happens(*every_day(35))
    asked_of_today = await hall.json("influence")
    assert asked_of_today["as_of"] == str(now)
    for day in (now, now + timedelta(days=1), date(2099, 12, 31)):
        for path in ("influence", f"influence/{ALICE}", f"influence/{ALICE}/explain"):
            to_come, of_today = await hall.json(path, {"as_of": day}), await hall.json(path)
            assert to_come | {"freshness": None} == of_today | {"freshness": None}
        first = await hall.json("influence", {"as_of": day, "limit": 1})
        second = await hall.json("influence", {"as_of": day, "limit": 1, "cursor": first["next"]})
        assert [*first["items"], *second["items"]] == asked_of_today["items"]


async def test_suggestions_of_days_to_come_are_none(hall: Hall) -> None:
    tomorrow = await today(hall, "UTC") + timedelta(days=1)
    assert (await hall.json("suggestions", {"from": tomorrow}))["answered"] == 0
