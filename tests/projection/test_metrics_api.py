from __future__ import annotations

import base64
import csv
import json
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import pytest

from services.feedback.events import (
    SuggestionAnswered,
    SuggestionDeclined,
    SuggestionDeleted,
    SuggestionPlanned,
    SuggestionSubmitted,
)
from services.member.events import CommunityDescribed, CommunityFounded, MemberJoined
from shared.events.event import Text
from tests.positions import positions_of
from tests.projection import oracle
from tests.projection.conftest import Hall
from tests.projection.histories import COMMUNITY, START
from tests.projection.life import PEOPLE, Life
from tests.projection.records import NOON, recorded

PARIS = ZoneInfo("Europe/Paris")
FIRST = START.date()
FOUNDED = CommunityFounded("guild", "Guild", "", "fr", "Europe/Paris", "public", "open", PEOPLE[0])


@pytest.fixture
async def life(hall: Hall) -> Life:
    life = Life(1)
    await hall.tells(COMMUNITY, FOUNDED)
    await hall.happens(*life.goes_on(200))
    return life


async def test_activity_is_a_series_without_holes_that_the_oracle_agrees_with(hall: Hall, life: Life) -> None:
    last = FIRST + timedelta(days=50)
    answer = await hall.json("activity", {"from": FIRST.isoformat(), "to": last.isoformat()})
    assert [item["day"] for item in answer["items"]] == [(FIRST + timedelta(days=n)).isoformat() for n in range(51)]
    assert answer["time_zone"] == "Europe/Paris"
    for item in answer["items"]:
        expected = life.activity(PARIS, date.fromisoformat(item["day"]))
        assert {kind: n for kind, n in item["actions"].items() if n} == expected.actions
        assert item["active"] == {
            "day": len(expected.day),
            "week": len(expected.week),
            "month": len(expected.month),
        }
        assert item["new_members"] == len(expected.new)
        assert item["returning_members"] == len(expected.day) - len(expected.new)
    busy = next(item for item in answer["items"] if item["active"]["day"])
    assert busy["stickiness"] == busy["active"]["day"] / busy["active"]["month"]


async def test_activity_of_the_last_thirty_days_is_the_default(hall: Hall, life: Life) -> None:
    answer = await hall.json("activity")
    assert len(answer["items"]) == 30
    assert answer["items"][-1]["day"] == datetime.now(PARIS).date().isoformat()


async def test_activity_by_month_as_csv_has_its_freshness_in_a_header(hall: Hall, life: Life) -> None:
    asked = {"from": "2024-02-01", "to": "2024-12-31", "step": "month"}
    answer = await hall.get("activity", {**asked, "format": "csv"})
    rows = list(csv.DictReader(StringIO(answer.text)))
    items = (await hall.json("activity", asked))["items"]
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["guildhall-time-zone"] == "Europe/Paris"
    assert '"positions"' in answer.headers["guildhall-freshness"]
    assert [row["day"] for row in rows] == [f"2024-{month:02}-01" for month in range(2, 13)]
    assert [int(row["reaction"]) for row in rows] == [item["actions"]["reaction"] for item in items]
    assert [float(row["stickiness"]) for row in rows] == [item["stickiness"] for item in items]


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"from": "2024-02-02", "to": "2024-02-01"}, "`from`"),
        ({"from": "2000-01-01", "to": "2012-01-01"}, "4000"),
        ({"from": "1577836800"}, "YYYY-MM-DD"),
        ({"from": "0001-01-01"}, "1970-01-01"),
        ({"step": "hour"}, "day"),
    ],
)
async def test_a_range_that_cannot_be_answered_is_refused_with_its_rule(
    hall: Hall, asked: dict[str, str], named: str
) -> None:
    await hall.tells(COMMUNITY, FOUNDED)
    answer = await hall.get("activity", asked, expect=422)
    assert named in answer.text


async def test_the_ranking_is_the_oracles_page_by_page(hall: Hall, life: Life) -> None:
    day = FIRST + timedelta(days=60)
    expected = life.influence(PARIS, day)
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await hall.get("influence", {"as_of": day, "limit": 5, **cursor})
        page = answer.json()
        items += page["items"]
        assert (page["as_of"], page["policy"], page["time_zone"]) == (day.isoformat(), "standard-1", "Europe/Paris")
        assert page["members"] == sum(e.in_population for e in expected.values())
        if page["next"] is None:
            break
        assert 'rel="next"' in answer.headers["link"]
        cursor = {"cursor": page["next"]}
    assert [item["rank"] for item in items] == list(range(1, len(items) + 1))
    assert [(-item["score"], item["member_id"]) for item in items] == sorted(
        (-item["score"], item["member_id"]) for item in items
    )
    assert {UUID(item["member_id"]) for item in items} == {m for m, e in expected.items() if e.in_population}
    for item in items:
        e = expected[UUID(item["member_id"])]
        assert (item["reach"], item["resonance"]) == (e.reach, e.resonance / 1000)
        assert abs(item["authority"] * 1000 - e.authority) <= 1.001
        assert item["score"] == pytest.approx(5 * item["reach"] + item["resonance"] + item["authority"], abs=1e-9)


async def test_an_explanation_adds_up_to_the_score_that_the_member_has(hall: Hall, life: Life) -> None:
    day = (FIRST + timedelta(days=45)).isoformat()
    top = (await hall.json("influence", {"as_of": day, "limit": 1}))["items"][0]
    one = await hall.json(f"influence/{top['member_id']}", {"as_of": day})
    whole = await hall.json(f"influence/{top['member_id']}/explain", {"as_of": day})
    assert {key: one[key] for key in top if key != "rank"} == {key: top[key] for key in top if key != "rank"}
    assert sum(item["thousandths"] for item in whole["items"]) == whole["sum_thousandths"] == round(top["score"] * 1000)
    assert {item["part"] for item in whole["items"]} == {"reach", "resonance", "authority"}

    paged: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while not paged or cursor:
        page = await hall.json(f"influence/{top['member_id']}/explain", {"as_of": day, "limit": 4, **cursor})
        paged += page["items"]
        cursor = {"cursor": page["next"]} if page["next"] else {}
    assert paged == whole["items"]


async def test_the_past_does_not_move_when_more_happens(hall: Hall, life: Life) -> None:
    day = FIRST + timedelta(days=30)
    before = await hall.json("influence", {"as_of": day})
    later = [r for r in life.goes_on(150) if r.occurred_at.astimezone(PARIS).date() > day]
    ids = {r.stream for r in later if r.version == 1}
    await hall.happens(*(r for r in later if r.version == 1 or r.stream in ids))
    after = await hall.json("influence", {"as_of": day})
    assert later
    assert after["items"] == before["items"]
    assert after["freshness"] != before["freshness"]


async def test_a_new_time_zone_makes_new_days(hall: Hall, life: Life) -> None:
    await hall.happens(
        recorded(CommunityDescribed("Guild", "", "fr", "Asia/Kathmandu", "public", "open"), stream=COMMUNITY, version=2)
    )
    asked = {"from": FIRST.isoformat(), "to": (FIRST + timedelta(days=3)).isoformat()}
    answer = await hall.json("activity", asked)
    assert answer["time_zone"] == "Asia/Kathmandu"
    for item in answer["items"]:
        expected = life.activity(ZoneInfo("Asia/Kathmandu"), date.fromisoformat(item["day"]))
        assert item["active"]["day"] == len(expected.day)


async def test_a_member_of_whom_nothing_is_known_has_nothing_and_a_stranger_is_not_found(hall: Hall) -> None:
    newcomer, stranger = uuid5(COMMUNITY, "newcomer"), uuid5(COMMUNITY, "stranger")
    await hall.tells(COMMUNITY, FOUNDED)
    await hall.tells(newcomer, MemberJoined(newcomer, "open", 1))
    known = await hall.json(f"influence/{newcomer}")
    explained = await hall.json(f"influence/{newcomer}/explain")
    assert (known["score"], known["reach"], known["percentile"]) == (0, 0, 0)
    assert (explained["items"], explained["sum_thousandths"]) == ([], 0)
    assert (await hall.get(f"influence/{stranger}", expect=404)).json()["status"] == 404
    assert (await hall.get("influence/me", expect=404)).json()["status"] == 404


async def test_a_cursor_that_no_answer_gave_is_refused(hall: Hall) -> None:
    await hall.tells(COMMUNITY, FOUNDED)
    for cursor in ("x", "AAAA", "e30"):
        assert "cursor" in (await hall.get("influence", {"cursor": cursor}, expect=400)).text


@pytest.mark.parametrize("day", [-800_000, -(10**18), 10**9, 10**30])
async def test_a_cursor_of_a_day_that_no_answer_is_of_is_refused(hall: Hall, life: Life, day: int) -> None:
    member = str(PEOPLE[0])
    ranking, items = _cursor({"day": day, "score": 1, "member": member}), _cursor({"day": day, "items": 1})
    assert "cursor" in (await hall.get("influence", {"cursor": ranking}, expect=400)).text
    assert "cursor" in (await hall.get(f"influence/{member}/explain", {"cursor": items}, expect=400)).text


async def test_a_cursor_goes_on_with_its_own_day_only(hall: Hall, life: Life) -> None:
    day = FIRST + timedelta(days=45)
    first = await hall.json("influence", {"as_of": day, "limit": 1})
    assert (await hall.json("influence", {"limit": 1, "cursor": first["next"]}))["as_of"] == day.isoformat()
    other = {"as_of": day - timedelta(days=1), "cursor": first["next"]}
    assert "as_of" in (await hall.get("influence", other, expect=400)).text


def _cursor(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_suggestions_are_counted_by_state_with_the_median_time_to_the_first_answer(hall: Hall) -> None:
    await hall.tells(COMMUNITY, FOUNDED)
    ideas = [uuid5(COMMUNITY, f"idea {n}") for n in range(4)]
    for hours, idea in zip((1, 2, 9, None), ideas, strict=True):
        await hall.happens(recorded(SuggestionSubmitted(idea, None, True, None), NOON, stream=idea))
        if hours:
            answered = SuggestionAnswered(idea, None, Text(idea, 3))
            await hall.happens(
                recorded(answered, NOON + timedelta(hours=hours), stream=idea, version=2),
                recorded(answered, NOON + timedelta(hours=hours + 30), stream=idea, version=3),
            )
    await hall.happens(recorded(SuggestionPlanned(ideas[0], None, None), stream=ideas[0], version=4))
    await hall.happens(recorded(SuggestionDeclined(ideas[3], None, None), stream=ideas[3], version=2))
    deleted = uuid5(COMMUNITY, "idea that was deleted")
    await hall.happens(
        recorded(SuggestionSubmitted(deleted, None, True, None), NOON, stream=deleted),
        recorded(SuggestionAnswered(deleted, None, Text(deleted, 3)), NOON, stream=deleted, version=2),
        recorded(SuggestionDeleted(deleted, None), stream=deleted, version=3),
    )
    answer = await hall.json("suggestions")
    assert answer["states"] == {"open": 2, "planned": 1, "completed": 0, "declined": 1}
    assert (answer["answered"], answer["unanswered"]) == (3, 1)
    assert answer["median_seconds_to_answer"] == 7200
    later = await hall.json("suggestions", {"from": "2026-03-02"})
    assert (sum(later["states"].values()), later["median_seconds_to_answer"]) == (0, None)


async def test_the_policy_that_ships_can_be_read(hall: Hall) -> None:
    await hall.tells(COMMUNITY, FOUNDED)
    (policy,) = (await hall.json("scoring-policies"))["items"]
    assert (policy["name"], policy["effective_from"]) == ("standard-1", None)
    assert policy["points"] == oracle.POINTS


async def test_a_community_for_members_shows_its_numbers_to_no_outsider(hall: Hall) -> None:
    await hall.tells(COMMUNITY, CommunityFounded("guild", "Guild", "", "fr", "UTC", "members", "open", PEOPLE[0]))
    for path in ("activity", "influence", f"influence/{PEOPLE[0]}", "suggestions", "scoring-policies"):
        await hall.get(path, expect=404)


async def test_answers_say_how_far_they_are(hall: Hall, life: Life) -> None:
    freshness = (await hall.json("influence"))["freshness"]
    positions = positions_of(freshness["positions"])
    assert {source for source, _ in positions} == {"content", "engagement", "feedback", "member"} & set(hall.logs)
    for name in {source for source, _ in positions}:
        assert [positions[name, p] for p in range(12)] == await hall.logs[name].heads()
