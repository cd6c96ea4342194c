"""A community brought in: with its words or without, in any number of tries, with ids that follow from the source."""

from __future__ import annotations

from typing import Any

from tests.content.town import Json, Town
from tests.member import api as members

DAY = "2015-03-0{}T12:00:00Z"


def line(command: str, source: str, day: int, subject: str | None = "bob", **arguments: Any) -> Json:
    at = DAY.format(day)
    return {"command": command, "source": source, "subject": subject, "occurred_at": at, **arguments}


CHANNEL = line("open-channel", "se:channel", 1, None, name="Questions")
THREAD = line("open-thread", "se:1", 2, channel="se:channel", title="How?", body="<p>So.</p>", tags=["How-To"])
REPLY = line("post-reply", "se:2", 3, None, thread="se:1", body="<p>Thus.</p>")
OTHER = line("post-reply", "se:3", 4, "carol", thread="se:1")
COMMENT = line("post-comment", "se:c1", 5, "carol", target="se:2", target_kind="reply", body="Thanks")
ON_THREAD = line("post-comment", "se:c2", 5, "carol", target="se:1", target_kind="thread")
ACCEPTED = line("accept-answer", "se:v1", 6, thread="se:1", reply="se:2")
CHANGED = line("accept-answer", "se:v2", 7, thread="se:1", reply="se:3")
DUMP = [CHANNEL, THREAD, REPLY, OTHER, COMMENT, ON_THREAD, ACCEPTED, CHANGED]


async def community(town: Town) -> str:
    path = await members.found(town.member, "alice")
    for who in ("bob", "carol"):
        await members.join(town.member, path, who)
    return path


def statuses(answers: list[Json]) -> list[str]:
    return [answer["status"] for answer in answers]


async def test_what_happened_elsewhere_reads_like_what_happened_here(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP)
    assert statuses(answers) == ["applied"] * len(DUMP), answers
    ids = {answer["source"]: answer["id"] for answer in answers}

    (thread,) = (await town.look("dora", f"{path}/threads"))["items"]
    assert (thread["id"], thread["channel_id"]) == (ids["se:1"], ids["se:channel"])
    assert (thread["title"], thread["body"], thread["tags"]) == ("How?", "<p>So.</p>", ["how-to"])
    assert (thread["opened_at"], thread["active_at"]) == (DAY.format(2), DAY.format(5))
    assert (thread["replies"], thread["comments"], thread["accepted_reply_id"]) == (2, 1, ids["se:3"])
    assert thread["author_id"] == answers[1]["member"]

    first, second = (await town.look("dora", f"{path}/threads/{thread['id']}/replies"))["items"]
    assert (first["author_id"], first["body"], first["comments"]) == (None, "<p>Thus.</p>", 1)
    assert (second["body"], second["accepted"]) == (None, True)


async def test_a_dump_brought_in_again_changes_nothing(town: Town) -> None:
    path = await community(town)
    await town.backfill(path, *DUMP)
    before = await town.look("dora", f"{path}/threads")
    assert statuses(await town.backfill(path, *DUMP)) == ["repeated"] * len(DUMP)
    assert (await town.look("dora", f"{path}/threads"))["items"] == before["items"]


async def test_a_dump_that_was_interrupted_ends_the_same(town: Town) -> None:
    path = await community(town)
    await town.backfill(path, *DUMP[:4])
    assert statuses(await town.backfill(path, *DUMP)) == ["repeated"] * 4 + ["applied"] * 4


async def test_an_acceptance_that_was_withdrawn_is_not_brought_back(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP)
    thread = f"{path}/threads/{answers[1]['id']}"
    await town.send("bob", "DELETE", f"{thread}/accepted-answer", 204)
    assert statuses(await town.backfill(path, *DUMP)) == ["repeated"] * len(DUMP)
    assert (await town.send("bob", "GET", thread, 200))["accepted_reply_id"] is None


async def test_lines_that_name_what_is_not_there_are_rejected_and_the_others_are_not(town: Town) -> None:
    path = await community(town)
    lost = [
        line("open-thread", "se:9", 2, channel="nowhere"),
        line("post-reply", "se:10", 3, thread="nowhere"),
        line("post-comment", "se:c9", 3, target="nowhere", target_kind="reply"),
        line("accept-answer", "se:v9", 6, thread="se:1", reply="nowhere"),
        line("open-thread", "se:11", 2, channel="se:channel", tags=["two words"]),
        line("open-thread", "se:12", 2, "stranger", channel="se:channel"),
    ]
    answers = await town.backfill(path, CHANNEL, THREAD, *lost)
    assert statuses(answers) == ["applied"] * 2 + ["rejected"] * 6
    assert [answer["problem"]["status"] for answer in answers[2:]] == [404, 404, 404, 404, 422, 403]


async def test_what_nobody_wrote_only_moderators_change(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, CHANNEL, THREAD, REPLY)
    reply = f"{path}/replies/{answers[2]['id']}"
    await town.send("bob", "PATCH", reply, 403, {"body": "Mine."})
    assert (await town.send("alice", "PATCH", reply, 200, {"body": "Moderated."}))["author_id"] is None


async def test_members_bring_nothing_in(town: Town) -> None:
    path = await community(town)
    answer = await town.by("bob", "guildhall:backfill").post(
        f"{path}/content/backfill", content="", headers={"content-type": "application/x-ndjson"}
    )
    assert answer.status_code == 403
