"""Rankings are of those who were members on the day and are no robots; and what was deleted is no response any more."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.content.events import (
    AnswerAccepted,
    CommentDeleted,
    CommentPosted,
    ReplyDeleted,
    ReplyPosted,
    ThreadDeleted,
    ThreadOpened,
)
from services.engagement.events import ReactionAdded, ReactionWithdrawn, TargetShared
from services.member.events import (
    CommunityFounded,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    RobotMarked,
    RobotUnmarked,
)
from shared.events.event import Event, Recorded
from tests.projection.conftest import Hall
from tests.projection.histories import COMMUNITY, MEMBERS
from tests.projection.records import recorded

ALICE, BOB, CAROL, DAVE = MEMBERS[:4]
THREAD, REPLY, ANSWER, COMMENT, ON_THREAD = (uuid5(COMMUNITY, name) for name in ("t", "r", "a", "c", "on thread"))
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
ALL_PARTS = ("reach", "resonance", "authority", "score", "percentile", "trend")


def day(number: int) -> date:
    return START.date() + timedelta(days=number)


def at(number: int, hours: int = 0) -> datetime:
    return START + timedelta(days=number, hours=hours)


class Story:
    """Events as they come, each in a stream of its own but for memberships, which are one's own."""

    def __init__(self) -> None:
        self.records: list[Recorded] = []
        self._turns: dict[UUID, int] = {}

    def tells(self, when: datetime, *events: Event) -> list[Recorded]:
        told = [recorded(event, when, position=len(self.records) + n) for n, event in enumerate(events, start=1)]
        self.records += told
        return told

    def member(self, who: UUID, when: datetime, event: Event) -> Recorded:
        self._turns[who] = self._turns.get(who, 0) + 1
        self.records.append(recorded(event, when, stream=who, version=self._turns[who]))
        return self.records[-1]

    def a_thread_with_everything_on_it(self) -> None:
        """Alice asks, Bob answers and is accepted and praised, Carol comments on both, Dave praises and shares."""
        for who in (ALICE, BOB, CAROL, DAVE):
            self.member(who, at(-9), MemberJoined(who, "open", 1))
        self.tells(
            at(0),
            ThreadOpened(THREAD, THREAD, ALICE, None, ()),
            ReplyPosted(ANSWER, THREAD, ALICE, BOB, None),
            ReplyPosted(REPLY, THREAD, ALICE, DAVE, None),
            CommentPosted(COMMENT, THREAD, ANSWER, "reply", BOB, CAROL, None),
            CommentPosted(ON_THREAD, THREAD, THREAD, "thread", ALICE, CAROL, None),
            AnswerAccepted(THREAD, ANSWER, ALICE, BOB),
            ReactionAdded(UUID(int=1), ANSWER, "reply", BOB, ALICE, "like", True),
            ReactionAdded(UUID(int=2), COMMENT, "comment", CAROL, DAVE, "like", True),
            TargetShared(UUID(int=3), ANSWER, "reply", BOB, DAVE, "mail"),
            ReactionAdded(UUID(int=4), THREAD, "thread", ALICE, DAVE, "like", True),
        )


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
async def hall(hall: Hall) -> Hall:
    await hall.tells(COMMUNITY, CommunityFounded("guild", "Guild", "", "fr", "UTC", "public", "open", ALICE))
    return hall


async def ranking(hall: Hall, number: int) -> dict[UUID, dict[str, Any]]:
    items = (await hall.json("influence", {"as_of": day(number)}))["items"]
    assert not items or round(sum(item["authority"] for item in items), 3) == 100 * len(items)
    return {UUID(item["member_id"]): item for item in items}


async def one(hall: Hall, who: UUID, number: int) -> dict[str, Any]:
    """One member's influence, which their explanation adds up to."""
    found: dict[str, Any] = await hall.json(f"influence/{who}", {"as_of": day(number)})
    explained = await hall.json(f"influence/{who}/explain", {"as_of": day(number)})
    assert sum(item["thousandths"] for item in explained["items"]) == explained["sum_thousandths"]
    assert explained["sum_thousandths"] == round(found["score"] * 1000)
    return found


async def points(hall: Hall, who: UUID, number: int) -> dict[str, int]:
    """What the rows of a member's resonance earned, by kind."""
    items = (await hall.json(f"influence/{who}/explain", {"as_of": day(number)}))["items"]
    rows = [item for item in items if item["part"] == "resonance"]
    return {kind: sum(i["points"] for i in rows if i["kind"] == kind) for kind in {row["kind"] for row in rows}}


EVERYTHING = {
    ALICE: {"reply": 6, "comment": 2, "positive_reaction": 10, "acceptance_given": 2},
    BOB: {"comment": 2, "acceptance": 15, "positive_reaction": 10, "share": 8},
    CAROL: {"positive_reaction": 10},
}
BELOW: dict[Event, dict[UUID, dict[str, int]]] = {
    ThreadDeleted(THREAD, THREAD, ALICE, ()): {ALICE: {}, BOB: {}, CAROL: {}},
    ReplyDeleted(ANSWER, THREAD, BOB): {
        ALICE: {"reply": 3, "comment": 2, "positive_reaction": 10},
        BOB: {},
        CAROL: {},
    },
    CommentDeleted(COMMENT, THREAD, ANSWER, CAROL): {
        ALICE: EVERYTHING[ALICE],
        BOB: {"acceptance": 15, "positive_reaction": 10, "share": 8},
        CAROL: {},
    },
    CommentDeleted(ON_THREAD, THREAD, THREAD, CAROL): {
        **EVERYTHING,
        ALICE: {"reply": 6, "positive_reaction": 10, "acceptance_given": 2},
    },
}


@pytest.mark.parametrize(
    "deletion", list(BELOW), ids=["thread", "reply", "comment on a reply", "comment on the thread"]
)
async def test_what_is_deleted_takes_along_what_stood_below_it_from_that_day_on(
    hall: Hall, story: Story, deletion: Event
) -> None:
    story.a_thread_with_everything_on_it()
    await hall.happens(*story.records, *story.tells(at(3), deletion))
    for number, expected in ((2, EVERYTHING), (3, BELOW[deletion]), (60, BELOW[deletion])):
        assert {who: await points(hall, who, number) for who in expected} == expected
        for who in expected:
            await one(hall, who, number)
    acted = (await hall.json("activity", {"from": day(0), "to": day(0)}))["items"][0]["actions"]
    assert {kind: n for kind, n in acted.items() if n} == {
        "thread": 1,
        "reply": 2,
        "comment": 2,
        "acceptance": 1,
        "reaction": 3,
        "share": 1,
    }


@pytest.mark.parametrize(
    "deletion", list(BELOW), ids=["thread", "reply", "comment on a reply", "comment on the thread"]
)
async def test_a_deletion_counts_also_for_what_is_learned_of_after_it(
    hall: Hall, story: Story, deletion: Event
) -> None:
    story.a_thread_with_everything_on_it()
    await hall.happens(*story.tells(at(3), deletion))
    # From the top of the tree, from below, one by one, with a look in between, so that something old is kept.
    for record in reversed(story.records[:-1]):
        await hall.happens(*([record] if record.service != "member" else []))
        await ranking(hall, 3)
        await ranking(hall, 2)
    for number, expected in ((2, EVERYTHING), (3, BELOW[deletion])):
        assert {who: await points(hall, who, number) for who in expected} == expected


async def test_what_was_withdrawn_before_or_after_the_deletion_is_taken_away_once(hall: Hall, story: Story) -> None:
    story.a_thread_with_everything_on_it()
    likes = [(UUID(int=10 + n), REPLY, "reply", DAVE, who, "like", True) for n, who in enumerate((ALICE, BOB, CAROL))]
    await hall.happens(*story.records)
    for n, like in enumerate(likes):
        added = recorded(ReactionAdded(*like), at(0), stream=like[0])
        back = recorded(ReactionWithdrawn(*like, at(0)), at(2 + 2 * n), stream=like[0], version=2)
        await hall.happens(added, back)
    await hall.happens(*story.tells(at(3), ReplyDeleted(REPLY, THREAD, DAVE)))
    received = [(await points(hall, DAVE, number)).get("positive_reaction", 0) for number in range(8)]
    assert received == [30, 30, 20, 0, 0, 0, 0, 0]
    assert [(await one(hall, DAVE, number))["reach"] for number in (1, 2, 3, 7)] == [3, 2, 0, 0]


async def test_a_deletion_that_comes_twice_counts_from_the_earlier_day(hall: Hall, story: Story) -> None:
    story.a_thread_with_everything_on_it()
    story.tells(at(5), ReplyDeleted(ANSWER, THREAD, BOB))
    story.tells(at(3), ThreadDeleted(THREAD, THREAD, ALICE, ()))
    await hall.happens(*story.records)
    assert [bool(await points(hall, BOB, number)) for number in (2, 3, 5)] == [True, False, False]


@pytest.mark.parametrize("leaving", [MemberLeft(BOB), MemberRemoved(BOB, ALICE, None)], ids=["left", "removed"])
async def test_who_has_left_is_ranked_on_the_days_they_were_here(hall: Hall, story: Story, leaving: Event) -> None:
    story.a_thread_with_everything_on_it()
    story.member(BOB, at(3), leaving)
    story.member(BOB, at(5), MemberJoined(BOB, "rejoining", 2))
    story.member(BOB, at(7), leaving)
    story.member(BOB, at(7, hours=2), MemberJoined(BOB, "rejoining", 3))
    await hall.happens(*story.records)
    here = [BOB in await ranking(hall, number) for number in range(9)]
    assert here == [True, True, True, False, False, True, True, True, True]
    gone = await one(hall, BOB, 3)
    assert (gone["reach"], gone["authority"]) == (3, 0)
    assert gone["resonance"] > 30
    assert (await one(hall, ALICE, 3))["reach"] == 3  # Bob responded while he was here


async def test_who_never_joined_or_not_yet_is_in_no_ranking(hall: Hall, story: Story) -> None:
    stranger = uuid5(COMMUNITY, "stranger")
    story.a_thread_with_everything_on_it()
    story.tells(at(0), ReplyPosted(uuid5(COMMUNITY, "x"), THREAD, ALICE, stranger, None))
    await hall.happens(*story.records)
    assert stranger not in await ranking(hall, 1)
    assert (await one(hall, stranger, 1))["authority"] == 0
    assert await ranking(hall, -1) == {}
    assert (await one(hall, ALICE, 1))["reach"] == 4
    await hall.happens(story.member(stranger, at(4), MemberJoined(stranger, "open", 1)))
    assert [stranger in await ranking(hall, number) for number in (3, 4)] == [False, True]


async def test_a_robot_is_none_of_the_active_and_gives_neither_reach_nor_authority(hall: Hall, story: Story) -> None:
    async def numbers() -> list[Any]:
        answers = [await hall.json("influence", {"as_of": day(n)}) for n in (0, 1, 40)]
        answers += [await hall.json("activity", {"from": day(-3), "to": day(45), "step": step}) for step in STEPS]
        answers += [await hall.json(f"influence/{who}/explain", {"as_of": day(1)}) for who in MEMBERS[:4]]
        return [{key: value for key, value in answer.items() if key != "freshness"} for answer in answers]

    story.a_thread_with_everything_on_it()
    await hall.happens(*story.records)
    before = await numbers()
    dave = await one(hall, DAVE, 1)

    await hall.happens(story.member(DAVE, at(9), RobotMarked(DAVE)))
    assert set(await ranking(hall, 1)) == {ALICE, BOB, CAROL}
    (today,) = (await hall.json("activity", {"from": day(0), "to": day(0)}))["items"]
    assert (today["active"], today["new_members"]) == ({"day": 3, "week": 3, "month": 3}, 3)
    assert today["actions"]["share"] == 1
    carol, marked = await one(hall, CAROL, 0), await one(hall, DAVE, 1)
    assert (carol["reach"], carol["resonance"]) == (0, 10)  # the robot's praise counts as that of nobody known
    assert (marked["reach"], marked["resonance"], marked["authority"]) == (dave["reach"], dave["resonance"], 0)

    await hall.happens(story.member(DAVE, at(10), RobotUnmarked(DAVE)))
    assert await numbers() == before


STEPS = ("day", "week", "month")


async def test_a_robot_that_acts_for_the_first_time_after_it_was_marked_is_active_on_no_day(
    hall: Hall, story: Story
) -> None:
    story.member(DAVE, at(-9), MemberJoined(DAVE, "open", 1))
    story.member(DAVE, at(-8), RobotMarked(DAVE))
    asked = {"from": day(0), "to": day(0)}
    await hall.happens(*story.records)
    await hall.json("activity", asked)
    await hall.happens(*story.tells(at(0), ThreadOpened(THREAD, THREAD, DAVE, None, ())))
    (item,) = (await hall.json("activity", asked))["items"]
    assert (item["actions"]["thread"], item["active"]["day"], item["new_members"]) == (1, 0, 0)
    await hall.happens(*story.tells(at(0), ThreadOpened(REPLY, THREAD, ALICE, None, ())))
    (item,) = (await hall.json("activity", asked))["items"]
    assert (item["actions"]["thread"], item["active"]["day"], item["new_members"]) == (2, 1, 1)
