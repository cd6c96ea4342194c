"""Reactions brought in: with their giver or without, to what was brought into the content service a moment ago."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.engagement.town import Json, Town
from tests.member import api as members

DAY = "2015-03-0{}T12:00:00Z"


def line(command: str, source: str, day: int, subject: str | None = "bob", **arguments: Any) -> Json:
    at = DAY.format(day)
    return {"command": command, "source": source, "subject": subject, "occurred_at": at, **arguments}


def vote(source: str, day: int, *, positive: bool = True, subject: str | None = None, **changes: Any) -> Json:
    aim = {"target": "se:1", "target_kind": "thread", "kind": "up", "positive": positive}
    return line("react", source, day, subject, **{**aim, **changes})


async def community(town: Town) -> tuple[str, str]:
    """A community with a thread that was brought in; its path, and the thread's id."""
    path = await members.found(town.around.member, "alice")
    await members.join(town.around.member, path, "bob")
    _, thread = await town.around.backfill(
        path,
        line("open-channel", "se:channel", 1, None, name="Questions"),
        line("open-thread", "se:1", 2, channel="se:channel"),
    )
    assert thread["status"] == "applied", thread
    return path, thread["id"]


def statuses(answers: list[Json]) -> list[str]:
    return [answer["status"] for answer in answers]


async def test_votes_without_a_voter_are_counted_by_their_sign_each_for_itself(town: Town) -> None:
    path, thread = await community(town)
    votes = [vote("se:v1", 3), vote("se:v2", 3), vote("se:v3", 4, positive=False), vote("se:v4", 4, positive=False)]
    votes[3]["kind"] = "down"
    answers = await town.backfill(path, *votes)
    assert statuses(answers) == ["applied"] * 4, answers

    seen = await town.look("bob", f"{path}/reactions?target={thread}")
    assert seen["counts"] == {"down": 2, "up": 2}
    assert {item["actor_id"] for item in seen["items"]} == {None}
    assert [item["reacted_at"] for item in seen["items"]] == [DAY.format(4)] * 2 + [DAY.format(3)] * 2
    assert statuses(await town.backfill(path, *votes)) == ["repeated"] * 4


async def test_a_reaction_of_a_member_is_the_members_own_and_is_not_brought_back_when_withdrawn(town: Town) -> None:
    path, thread = await community(town)
    mine = vote("se:v1", 3, subject="bob", kind="like")
    assert statuses(await town.backfill(path, mine)) == ["applied"]
    await town.send("bob", "DELETE", f"{path}/reactions/{thread}/like", 204)
    assert statuses(await town.backfill(path, mine)) == ["repeated"]
    assert (await town.look("bob", f"{path}/reactions?target={thread}"))["counts"] == {}


async def test_a_kind_that_is_not_known_goes_by_its_sign(town: Town) -> None:
    path, thread = await community(town)
    kinds: list[object] = ["heart", "+1", "", None, 7, "x" * 500]
    votes = [vote(f"se:v{n}", 3, kind=kind, positive=n % 2 == 0) for n, kind in enumerate(kinds)]
    answers = await town.backfill(path, *votes)
    assert statuses(answers) == ["applied"] * 6, answers
    assert [[part["pointer"] for part in answer.get("left_out", [])] for answer in answers] == [
        ["/kind"],
        ["/kind"],
        ["/kind"],
        [],
        ["/kind"],
        ["/kind"],
    ]
    assert (await town.look("bob", f"{path}/reactions?target={thread}"))["counts"] == {"down": 3, "up": 3}
    assert statuses(await town.backfill(path, *votes)) == ["repeated"] * 6


async def test_a_reaction_to_what_was_deleted_since_comes_in_and_one_after_it_does_not(town: Town) -> None:
    path, thread = await community(town)
    known = vote("se:v1", 3)
    reply, comment = await town.around.backfill(
        path,
        line("post-reply", "se:2", 3, thread="se:1", body="Thus."),
        line("post-comment", "se:3", 3, target="se:2", target_kind="reply", body="Thanks."),
    )
    assert statuses([reply, comment, *await town.backfill(path, known)]) == ["applied"] * 3
    await town.around.send("bob", "DELETE", f"{path}/threads/{thread}", 204)
    await gone(town, path)
    late = {"occurred_at": datetime.now(UTC).isoformat()}
    answers = await town.backfill(
        path,
        known,
        vote("se:v2", 4, subject="bob", kind="like"),
        vote("se:v3", 4, target="se:2", target_kind="reply"),
        vote("se:v4", 4, target="se:3", target_kind="comment"),
        {**vote("se:v5", 4), **late},
        {**vote("se:v6", 4, target="se:3", target_kind="comment"), **late},
    )
    assert statuses(answers) == ["repeated", *["applied"] * 3, *["rejected"] * 2], answers
    assert [answer["problem"]["status"] for answer in answers[4:]] == [409, 409]


async def gone(town: Town, path: str) -> None:
    """Wait until the deletion of the thread has arrived at the engagement service."""
    for number in range(200):
        now = datetime.now(UTC).isoformat()
        (answer,) = await town.backfill(path, {**vote(f"se:wait:{number}", 9), "occurred_at": now})
        if answer["status"] == "rejected":
            return
    raise AssertionError("the thread stands still")


async def test_lines_that_name_what_is_not_there_or_of_the_other_sign_are_rejected(town: Town) -> None:
    path, _ = await community(town)
    lines = [
        vote("se:v1", 3, target="nowhere"),
        vote("se:v2", 3, target_kind="reply"),
        vote("se:v4", 3, kind="like", positive=False),
    ]
    answers = await town.backfill(path, *lines)
    assert statuses(answers) == ["rejected"] * 3
    assert [answer["problem"]["status"] for answer in answers] == [404, 404, 422]


async def test_lines_of_a_member_leave_one_sign_whatever_their_order_and_are_repeated(town: Town) -> None:
    path, thread = await community(town)
    about = f"{path}/reactions?target={thread}"
    lines = [
        vote("se:v1", 6, subject="bob"),
        vote("se:v2", 4, subject="bob", positive=False),
        vote("se:v3", 7, subject="bob", kind="like"),
        vote("se:v4", 3, subject="alice", kind="dislike", positive=False),
        vote("se:v5", 5, subject="alice", kind="love"),
        vote("se:v6", 5, subject=None),
    ]
    assert statuses(await town.backfill(path, *lines)) == ["applied"] * 6
    before = await town.events()
    assert statuses(await town.backfill(path, *reversed(lines))) == ["repeated"] * 6

    seen = await town.look("bob", about)
    assert (seen["counts"], seen["mine"]) == ({"like": 1, "love": 1, "up": 2}, ["like", "up"])
    assert await town.events() == before
    await town.send("bob", "PUT", f"{path}/reactions/{thread}/dislike", 204)
    assert statuses(await town.backfill(path, *lines)) == ["repeated"] * 6
    assert (await town.look("bob", about))["counts"] == {"dislike": 1, "love": 1, "up": 1}


async def test_what_a_member_gave_or_took_back_here_is_not_undone_by_a_later_line(town: Town) -> None:
    path, thread = await community(town)
    about, now = f"{path}/reactions?target={thread}", datetime.now(UTC).isoformat()
    imported = vote("se:v1", 3, subject="bob", kind="helpful")
    assert statuses(await town.backfill(path, imported)) == ["applied"]
    for kind in ("like", "love"):
        await town.send("bob", "PUT", f"{path}/reactions/{thread}/{kind}", 204)
    await town.send("bob", "DELETE", f"{path}/reactions/{thread}/love", 204)
    before = (await town.look("bob", about))["mine"]
    assert before == ["helpful", "like"]

    late = datetime.now(UTC).isoformat()
    kinds = [("dislike", False), ("love", True), ("up", True), ("down", False)]
    lines = [vote(f"se:w{n}", 3, subject="bob", kind=kind, positive=sign) for n, (kind, sign) in enumerate(kinds)]
    told = await town.backfill(path, *(line | {"occurred_at": late} for line in lines))
    assert statuses(told) == ["repeated"] * 4
    assert [[part["pointer"] for part in each["left_out"]] for each in told] == [[""]] * 4
    # Between two deeds of theirs, too: it happened, and stands no more.
    between = vote("se:x", 3, subject="bob", kind="dislike", positive=False) | {"occurred_at": now}
    assert statuses(await town.backfill(path, between))[0] in ("applied", "repeated")
    assert (await town.look("bob", about))["mine"] == before
