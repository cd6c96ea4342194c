"""What was brought in is marked in influence, and can be withdrawn and restored as a whole."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.content.events import AnswerAccepted, ReplyPosted, ThreadOpened
from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.feedback.events import SuggestionVoted
from services.member.events import CommunityFounded, ImportRestored, ImportWithdrawn, MemberJoined
from shared.events.event import Event, Recorded
from tests.projection.conftest import Hall
from tests.projection.histories import COMMUNITY
from tests.projection.records import NOON, recorded

ALICE, BOB, CAROL, DORA, IDA, IVAN = (
    uuid5(COMMUNITY, name) for name in ("alice", "bob", "carol", "dora", "ida", "ivan")
)
FOUNDED = CommunityFounded("guild", "Guild", "", "fr", "UTC", "public", "open", ALICE)
THREAD, ANSWER, OTHER, LIKE = (uuid5(COMMUNITY, name) for name in ("thread", "answer", "other answer", "like"))
BROUGHT = NOON + timedelta(days=3)
"""When Ida brought things in."""
DAY = NOON.date().isoformat()


def written(event: Event, number: int, by: UUID | None = None, *, minutes: int = 0, days: int = 0) -> Recorded:
    at, brought = NOON + timedelta(days=days, minutes=minutes), None if by is None else BROUGHT
    return recorded(event, at, position=number, imported_by=by, recorded_at=brought)


HERE = [
    written(ThreadOpened(THREAD, THREAD, ALICE, None, ()), 1),
    written(ReplyPosted(ANSWER, THREAD, ALICE, BOB, None), 2),
    written(ReactionAdded(LIKE, ANSWER, "reply", BOB, ALICE, "like", True), 3, minutes=1),
]
IMPORTED = [
    written(ReplyPosted(OTHER, THREAD, ALICE, DORA, None), 11, IDA),
    written(AnswerAccepted(THREAD, ANSWER, ALICE, BOB), 12, IDA),
    *(
        written(ReactionAdded(uuid5(LIKE, str(n)), ANSWER, "reply", BOB, None, "up", True), 20 + n, IDA)
        for n in range(3)
    ),
    written(ReactionAdded(UUID(int=1), ANSWER, "reply", BOB, CAROL, "like", True), 31, IVAN),
    written(SuggestionVoted(THREAD, None, CAROL), 32, IVAN),
]
IMPORTS = uuid5(COMMUNITY, "imports")


async def joined(hall: Hall) -> None:
    await hall.tells(COMMUNITY, FOUNDED)
    for who in (ALICE, BOB, CAROL, DORA):
        await hall.happens(recorded(MemberJoined(who, "open", 1), NOON - timedelta(days=1), stream=who))


async def decided(hall: Hall, *events: Event, first: int = 1) -> None:
    await hall.happens(*(recorded(e, stream=IMPORTS, version=v) for v, e in enumerate(events, start=first)))


async def numbers(hall: Hall) -> Any:
    """All that is answered about influence and activity, without how fresh it is."""
    day = {"as_of": DAY}
    ranking = await hall.json("influence", day)
    every = [ranking, await hall.json("activity", {"from": DAY, "to": DAY})]
    for item in ranking["items"]:
        every.append(await hall.json(f"influence/{item['member_id']}", day))
        every.append(await hall.json(f"influence/{item['member_id']}/explain", day))
    return [{key: value for key, value in answer.items() if key != "freshness"} for answer in every]


async def test_each_contribution_says_who_brought_in_what_it_rests_on(hall: Hall) -> None:
    await joined(hall)
    await hall.happens(*HERE, *IMPORTED)
    whole = await hall.json(f"influence/{BOB}/explain", {"as_of": DAY})
    one = await hall.json(f"influence/{BOB}", {"as_of": DAY})
    items = whole["items"]

    marked = {(i["part"], i["kind"], i["from"]): i["imported_by"] for i in items if i["part"] != "authority"}
    assert marked == {
        ("reach", None, str(ALICE)): None,  # liked it here
        ("reach", None, str(CAROL)): str(IVAN),
        ("resonance", "positive_reaction", str(ALICE)): None,
        ("resonance", "positive_reaction", str(CAROL)): str(IVAN),
        ("resonance", "positive_reaction", None): str(IDA),
        ("resonance", "acceptance", str(ALICE)): str(IDA),
    }
    passed = [(i["from"], i["points"], i["imported_by"]) for i in items if i["part"] == "authority" and i["from"]]
    expected = [(str(ALICE), 10, None), (str(ALICE), 15, str(IDA)), (str(CAROL), 10, str(IVAN))]
    assert sorted(passed, key=str) == sorted(expected, key=str)

    brought = [i["thousandths"] for i in items if i["imported_by"]]
    assert sum(brought) == whole["imported_thousandths"] == round(one["of_imports"]["score"] * 1000)
    assert sum(i["thousandths"] for i in items) == whole["score_thousandths"] == round(one["score"] * 1000)
    of_ida, of_ivan = sorted(one["importers"], key=lambda part: part["imported_by"] != str(IDA))
    assert (of_ida["imported_by"], of_ida["reach"], of_ida["resonance"]) == (str(IDA), 0, 45.0)
    assert (of_ivan["imported_by"], of_ivan["reach"], of_ivan["resonance"]) == (str(IVAN), 1, 10.0)
    for part in ("score", "reach", "resonance", "authority"):
        assert one["of_imports"][part] == pytest.approx(of_ida[part] + of_ivan[part], abs=1e-9)


async def test_a_withdrawn_import_leaves_everything_as_if_it_had_never_been_and_restoring_gives_it_back(
    hall: Hall,
) -> None:
    await joined(hall)
    await hall.happens(*HERE)
    without = await numbers(hall)
    await hall.happens(*IMPORTED)
    whole = await numbers(hall)
    assert {i["member_id"] for i in whole[0]["items"]} - {i["member_id"] for i in without[0]["items"]} == {
        str(CAROL),
        str(DORA),
    }

    await decided(hall, ImportWithdrawn(IDA, BROUGHT), ImportWithdrawn(IVAN, BROUGHT))
    assert await numbers(hall) == without
    await decided(hall, ImportRestored(IDA), ImportRestored(IVAN), first=3)
    assert await numbers(hall) == whole


async def test_one_importers_things_are_withdrawn_and_anothers_stay_whatever_comes_first(hall: Hall) -> None:
    await joined(hall)
    await decided(hall, ImportWithdrawn(IDA, BROUGHT))
    await hall.happens(*HERE, *IMPORTED)
    one = await hall.json(f"influence/{BOB}", {"as_of": DAY})

    assert [part["imported_by"] for part in one["importers"]] == [str(IVAN)]
    assert (one["reach"], one["resonance"]) == (2, 20.0)


async def test_what_is_brought_in_after_the_moment_counts(hall: Hall) -> None:
    await joined(hall)
    await hall.happens(*HERE, *IMPORTED)
    quarter = timedelta(minutes=15)
    for version, (until, resonance) in enumerate([(BROUGHT - quarter, 65.0), (BROUGHT, 20.0)], start=1):
        await decided(hall, ImportWithdrawn(IDA, until), first=version)
        assert (await hall.json(f"influence/{BOB}", {"as_of": DAY}))["resonance"] == resonance


async def test_what_was_taken_back_here_does_not_come_back_nor_take_anything_else_away(hall: Hall) -> None:
    """Carol takes back the like that Ivan had brought in for her, so with Ivan's import or without, there is none."""
    await joined(hall)
    taken_back = ReactionWithdrawn(UUID(int=1), ANSWER, "reply", BOB, CAROL, "like", True, NOON)
    await hall.happens(*HERE, *IMPORTED, written(taken_back, 40, minutes=30))
    before = (await hall.json(f"influence/{BOB}", {"as_of": DAY}))["resonance"]
    await decided(hall, ImportWithdrawn(IVAN, BROUGHT))

    assert (await hall.json(f"influence/{BOB}", {"as_of": DAY}))["resonance"] == before == 55.0


async def test_what_an_import_took_away_comes_back_with_its_withdrawal(hall: Hall) -> None:
    await joined(hall)
    taken_back = ReactionWithdrawn(LIKE, ANSWER, "reply", BOB, ALICE, "like", True, NOON + timedelta(minutes=1))
    await hall.happens(*HERE, written(taken_back, 40, IDA, minutes=30))
    seen = [(await hall.json(f"influence/{BOB}", {"as_of": DAY}))["resonance"]]
    await decided(hall, ImportWithdrawn(IDA, BROUGHT))
    seen.append((await hall.json(f"influence/{BOB}", {"as_of": DAY}))["resonance"])

    assert seen == [0.0, 10.0]


async def test_what_was_done_here_earns_the_same_beside_an_import(hall: Hall) -> None:
    """The forty points of a pair go to what was done here first."""
    await joined(hall)
    likes = [ReactionAdded(UUID(int=n), UUID(int=n), "thread", BOB, ALICE, "like", True) for n in range(100, 108)]
    await hall.happens(*(written(like, 100 + n, IDA if n % 2 else None) for n, like in enumerate(likes)))
    items = (await hall.json(f"influence/{BOB}/explain", {"as_of": DAY}))["items"]

    facts = [(i["points"], i["count"], i["imported_by"]) for i in items if i["part"] == "resonance"]
    assert sorted(facts, key=str) == [(0, 4, str(IDA)), (40, 4, None)]


@pytest.mark.parametrize(
    ("zone", "counted"), [("UTC", [0, 1, 1]), ("Asia/Tokyo", [0, 0, 1]), ("America/New_York", [0, 1, 0])]
)
async def test_given_again_counts_once_on_a_day_of_the_community(hall: Hall, zone: str, counted: list[int]) -> None:
    """Twelve rounds around midnight of UTC, twenty minutes apart."""
    await hall.tells(COMMUNITY, CommunityFounded("guild", "Guild", "", "fr", zone, "public", "open", ALICE))
    midnight = NOON.replace(hour=0) + timedelta(days=1)
    times = [midnight + timedelta(minutes=20 * n - 110) for n in range(12)]
    befores = [None, *times[:-1]]
    for n, (at, before) in enumerate(zip(times, befores, strict=True)):
        await hall.happens(
            recorded(
                ReactionAdded(LIKE, ANSWER, "reply", BOB, ALICE, "like", True, True, before), at, position=100 + n
            ),
            recorded(AnswerAccepted(THREAD, ANSWER, ALICE, BOB, before), at, position=200 + n),
            recorded(SuggestionVoted(THREAD, None, ALICE, before), at, position=300 + n),
            recorded(ReactionAdded(UUID(int=n), ANSWER, "reply", BOB, None, "up", True), at, position=400 + n),
        )
    days = [(NOON + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1)]
    items = (await hall.json("activity", {"from": days[0], "to": days[-1]}))["items"]

    rounds = [item["actions"]["acceptance"] for item in items]
    assert rounds == [item["actions"]["vote"] for item in items]
    assert sum(item["actions"]["reaction"] for item in items) == sum(rounds) + 12  # nobody's are each one's own
    assert rounds == counted
