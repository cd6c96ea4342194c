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
        line("open-thread", "se:12", 2, "stranger", channel="se:channel"),
    ]
    answers = await town.backfill(path, CHANNEL, THREAD, *lost)
    assert statuses(answers) == ["applied"] * 2 + ["rejected"] * 5
    assert [answer["problem"]["status"] for answer in answers[2:]] == [404, 404, 404, 404, 403]


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


async def test_the_words_of_a_question_never_hang_on_its_tags(town: Town) -> None:
    path = await community(town)
    many = [f"tag-{number}" for number in range(12)]
    given: list[tuple[Any, list[str], list[str]]] = [
        (["Q&A", "Help"], ["help"], ["/tags/0"]),
        (["two words", "", "  ", "x" * 51, "C++"], ["c++"], ["/tags/0", "/tags/1", "/tags/2", "/tags/3"]),
        ([7, None, {"a": 1}, "help", "HELP"], ["help"], ["/tags/0", "/tags/1", "/tags/2"]),
        (["be\u0007ll", "help"], ["help"], ["/tags/0"]),
        (["TAG-3", *many], ["tag-3", *many[:3], *many[4:10]], ["/tags/11", "/tags/12"]),
        ("help,roses", [], ["/tags"]),
        ({"help": True}, [], ["/tags"]),
        (None, [], []),
        (["&"] * 500, [], [*(f"/tags/{number}" for number in range(20)), ""]),
    ]
    lines = [THREAD | {"source": f"se:t{n}", "tags": tags} for n, (tags, _, _) in enumerate(given)]
    _, *answers = await town.backfill(path, CHANNEL, *lines)
    assert statuses(answers) == ["applied"] * len(given), answers
    for answer, (_, kept, left_out) in zip(answers, given, strict=True):
        shown = await town.send("bob", "GET", f"{path}/threads/{answer['id']}", 200)
        assert (shown["title"], shown["body"], shown["tags"]) == ("How?", "<p>So.</p>", kept)
        assert [part["pointer"] for part in answer.get("left_out", [])] == left_out
    _, *again = await town.backfill(path, CHANNEL, *lines)
    assert statuses(again) == ["repeated"] * len(given)


async def test_what_is_no_more_than_an_ornament_is_left_out_or_cut(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(
        path,
        CHANNEL | {"name": "n" * 101, "purpose": "p" * 1_001},
        CHANNEL | {"source": "se:second", "purpose": 7},
        THREAD | {"title": "t" * 301},
        THREAD | {"source": "se:4", "title": "  "},
        THREAD | {"source": "se:5", "title": ["How?"]},
        REPLY | {"title": "t" * 301},
    )
    assert statuses(answers) == ["applied"] * 6, answers
    assert [[part["pointer"] for part in answer.get("left_out", [])] for answer in answers] == [
        ["/name", "/purpose"],
        ["/purpose"],
        *[["/title"]] * 4,
    ]
    channel = await town.send("bob", "GET", f"{path}/channels/{answers[0]['id']}", 200)
    assert (channel["name"], channel["purpose"]) == ("n" * 99 + "…", "p" * 999 + "…")
    titles = [(await town.send("bob", "GET", f"{path}/threads/{a['id']}", 200))["title"] for a in answers[2:5]]
    assert titles == ["t" * 299 + "…", None, None]


async def test_the_thing_itself_must_fit(town: Town) -> None:
    path = await community(town)
    _, *answers = await town.backfill(path, CHANNEL, THREAD | {"body": "b" * 150_001}, THREAD | {"body": " "})
    assert [answer["problem"]["errors"][0]["pointer"] for answer in answers] == ["/body", "/body"], answers


async def test_lines_of_one_instant_are_listed_in_their_order(town: Town) -> None:
    path = await community(town)
    replies = [REPLY | {"source": f"se:r{n}", "body": f"No. {n}"} for n in range(30)]
    remarks = [COMMENT | {"source": f"se:m{n}", "target": "se:r0", "body": f"No. {n}"} for n in range(30)]
    threads = [THREAD | {"source": f"se:q{n}", "title": f"No. {n}"} for n in range(30)]
    channels = [CHANNEL | {"source": f"se:k{n}", "name": f"No. {n}"} for n in range(9)]
    answers = await town.backfill(path, CHANNEL, THREAD, *replies, *remarks, *threads, *channels)
    assert set(statuses(answers)) == {"applied"}
    thread, first = f"{path}/threads/{answers[1]['id']}", f"{path}/replies/{answers[2]['id']}"

    order = [f"No. {n}" for n in range(30)]
    shown = (await town.look("bob", f"{thread}/replies?limit=100"))["items"]
    assert [item["body"] for item in shown] == order
    assert shown[7]["posted_at"] == "2015-03-03T12:00:00.000007Z"
    assert [item["body"] for item in (await town.look("bob", f"{first}/comments?limit=100"))["items"]] == order
    newest = (await town.look("bob", f"{path}/threads?limit=100"))["items"]
    assert [item["title"] for item in newest] == [*reversed(order), "How?"]
    listed = (await town.look("bob", f"{path}/channels?limit=100"))["items"]
    assert [item["name"] for item in listed] == ["Questions", *order[:9]]

    again = await town.backfill(path, *reversed(replies), *remarks)
    assert statuses(again) == ["repeated"] * 60
