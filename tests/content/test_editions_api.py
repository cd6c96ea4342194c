"""The next edition of the same dump: what changed there is edited here, what is older or gone here stays as it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from services.content.tables import metadata
from tests.content.test_backfill_api import CHANNEL, COMMENT, DUMP, REPLY, THREAD, community, line, statuses
from tests.content.town import Json, Town

EDITED = "2016-01-01T00:00:00Z"
LATER = "2017-01-01T00:00:00Z"
BASE = [CHANNEL, THREAD, REPLY, COMMENT]
WHERE = {"open-channel": "channels", "open-thread": "threads", "post-reply": "replies", "post-comment": "comments"}

COUNTED = {"threads", "replies", "comments", "active_at"}

Change = tuple[Json, Json]


def changed(kind: Json, **changes: Any) -> Change:
    return kind, changes


CHANGES = [
    changed(THREAD, body="<p>So it is, at length.</p>"),
    changed(THREAD, body="<p>No!</p>"),  # of the same length
    changed(THREAD, title="Who?"),
    changed(THREAD, tags=["how-to", "roses"]),
    changed(THREAD, tags=["roses"]),
    changed(THREAD, tags=[]),
    changed(THREAD, title="Who?", tags=["roses"], body="<p>He.</p>"),
    changed(REPLY, body="<p>Thut.</p>"),
    changed(REPLY, title="A title"),
    changed(COMMENT, body="Thankz"),
    changed(CHANNEL, name="Answers"),
    changed(CHANNEL, purpose="To ask."),
    changed(CHANNEL, name="Answers", purpose="To answer."),
]


async def shown(town: Town, path: str, kind: Json, answers: list[Json]) -> Json:
    """The thing a line made, as the API shows it, but for what lists count a moment later."""
    id_ = next(answer["id"] for answer in answers if answer["source"] == kind["source"])
    found: Json = await town.send("bob", "GET", f"{path}/{WHERE[kind['command']]}/{id_}", 200)
    return {name: value for name, value in found.items() if name not in COUNTED}


async def actors(town: Town, stream: str) -> list[str | None]:
    """Who acted in a stream, event by event."""
    log = metadata.tables["log"]
    async with town.content.runtime.engine.connect() as connection:
        select = sa.select(log.c.actor).where(log.c.stream == sa.cast(stream, sa.UUID)).order_by(log.c.version)
        return [actor and str(actor) for actor in (await connection.execute(select)).scalars()]


@pytest.mark.parametrize("edited_at", [EDITED, None], ids=["at its time", "at no time"])
@pytest.mark.parametrize(("kind", "changes"), CHANGES)
async def test_an_edit_comes_in_as_an_edit_at_its_time_and_once(
    town: Town, kind: Json, changes: Json, edited_at: str | None
) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    before = await shown(town, path, kind, answers)
    edition = [one | changes | ({"edited_at": edited_at} if edited_at else {}) if one == kind else one for one in BASE]
    expected = ["edited" if one == kind else "repeated" for one in BASE]

    assert statuses(await town.backfill(path, *edition)) == expected
    assert statuses(await town.backfill(path, *edition)) == ["repeated"] * 4
    after = await shown(town, path, kind, answers)
    if "edited_at" in after:
        moment = datetime.fromisoformat(after.pop("edited_at"))
        recently = datetime.now(UTC) - moment < timedelta(minutes=1)
        assert recently if edited_at is None else moment == datetime.fromisoformat(edited_at)
        before.pop("edited_at")
        assert (before.pop("edited_by"), after.pop("edited_by")) == (None, after["imported_by"])
    assert after == {**before, **changes}
    stream = next(answer["id"] for answer in answers if answer["source"] == kind["source"])
    assert len(set(await actors(town, stream))) == 1


@pytest.mark.parametrize("edited_at", [EDITED, None])
async def test_three_editions_end_with_the_third_and_older_ones_change_nothing(
    town: Town, edited_at: str | None
) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    second = REPLY | {"body": "Two."} | ({"edited_at": EDITED} if edited_at else {})
    third = REPLY | {"body": "Three."} | ({"edited_at": LATER} if edited_at else {})
    told = [statuses(await town.backfill(path, edition))[0] for edition in (second, second, third, third)]
    assert told == ["edited", "repeated", "edited", "repeated"]
    assert statuses(await town.backfill(path, second, REPLY)) == ["repeated"] * 2
    if edited_at:
        assert statuses(await town.backfill(path, REPLY | {"body": "Two, later."})) == ["repeated"]
    assert (await shown(town, path, REPLY, answers))["body"] == "Three."


@pytest.mark.parametrize("kind", [THREAD, REPLY, COMMENT], ids=["thread", "reply", "comment"])
@pytest.mark.parametrize("first", [EDITED, None], ids=["from the first", "since an edit"])
async def test_other_words_of_the_same_time_come_in_and_those_before_them_are_older(
    town: Town, kind: Json, first: str | None
) -> None:
    path = await community(town)
    answers = await town.backfill(path, *(one | {"edited_at": first} if one == kind else one for one in BASE))
    editions = [kind | {"body": body, "edited_at": EDITED} for body in ("Two.", "2wo.", "Three.")]
    for edition in editions:
        assert statuses(await town.backfill(path, edition, edition)) == ["edited", "repeated"]
    assert statuses(await town.backfill(path, *editions, kind, kind | {"edited_at": first})) == ["repeated"] * 5
    after = await shown(town, path, kind, answers)
    assert (after["body"], datetime.fromisoformat(after["edited_at"])) == ("Three.", datetime.fromisoformat(EDITED))

    id_ = next(answer["id"] for answer in answers if answer["source"] == kind["source"])
    await town.send("alice", "PATCH", f"{path}/{WHERE[kind['command']]}/{id_}", 200, {"body": "Mine."})
    assert statuses(await town.backfill(path, editions[0])) == ["repeated"]
    assert (await shown(town, path, kind, answers))["body"] == "Mine."


async def test_other_tags_and_words_that_were_missing_come_in_under_the_same_time(town: Town) -> None:
    path = await community(town)
    dated = THREAD | {"edited_at": EDITED}
    bare = {name: value for name, value in dated.items() if name not in ("title", "body", "tags")}
    answers = await town.backfill(path, CHANNEL, bare, *BASE[2:])
    assert statuses(await town.backfill(path, dated, dated)) == ["edited", "repeated"]
    retagged = dated | {"tags": ["roses"]}
    assert statuses(await town.backfill(path, retagged, retagged)) == ["edited", "repeated"]
    thread = await shown(town, path, THREAD, answers)
    assert (thread["title"], thread["tags"]) == (THREAD["title"], ["roses"])


async def test_without_times_tags_may_change_again_and_again_and_words_that_stood_before_are_older(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    editions: list[Json] = [
        {"tags": ["one"]},
        {"tags": ["two"]},
        {"body": "Two.", "tags": ["two"]},
        {"tags": ["three"]},
    ]
    told = [statuses(await town.backfill(path, THREAD | edition))[0] for edition in editions]
    assert told == ["edited", "edited", "edited", "repeated"]
    thread = await shown(town, path, THREAD, answers)
    assert (thread["body"], thread["tags"]) == ("Two.", ["two"])


async def test_what_was_edited_here_stays_also_where_it_was_edited_there_later(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    ids = {answer["source"]: answer["id"] for answer in answers}
    thread = f"{path}/threads/{ids['se:1']}"
    await town.send("bob", "PATCH", thread, 200, {"tags": ["mine"]})
    await town.send("alice", "PATCH", f"{path}/replies/{ids['se:2']}", 200, {"body": "Mine."})
    await town.send("carol", "PATCH", f"{path}/comments/{ids['se:c1']}", 200, {"body": "Mine."})
    await town.send("alice", "PATCH", f"{path}/channels/{ids['se:channel']}", 200, {"name": "Mine"})

    assert statuses(await town.backfill(path, *BASE)) == ["repeated"] * 4
    words = {"body": "Theirs."}
    edition = [CHANNEL | {"name": "Theirs"}, THREAD | words, REPLY | words, COMMENT | words]
    for edited_at in ({}, {"edited_at": EDITED}):
        assert statuses(await town.backfill(path, *(one | edited_at for one in edition))) == ["repeated"] * 4
    assert (await town.send("bob", "GET", thread, 200))["tags"] == ["mine"]
    now = {"edited_at": datetime.now(UTC).isoformat()}
    for _ in range(2):
        told = await town.backfill(path, *(one | now for one in edition))
        assert statuses(told) == ["repeated"] * 4
        assert [[part["pointer"] for part in each["left_out"]] for each in told] == [["/name"], [""], [""], [""]]
    after = [await shown(town, path, one, answers) for one in BASE]
    assert [each.get("body", each.get("name")) for each in after] == ["Mine", THREAD["body"], "Mine.", "Mine."]
    editors = {who: (await town.member.by(who).get(f"{path}/members/me")).json()["id"] for who in ("alice", "carol")}
    assert [each["edited_by"] for each in after[2:]] == [editors["alice"], editors["carol"]]


async def test_of_a_channel_what_was_changed_here_stays_and_the_rest_is_edited(town: Town) -> None:
    path = await community(town)
    (answer, *_) = await town.backfill(path, *BASE)
    await town.send("alice", "PATCH", f"{path}/channels/{answer['id']}", 200, {"name": "Ours"})
    edition = CHANNEL | {"name": "Theirs", "purpose": "Theirs", "edited_at": datetime.now(UTC).isoformat()}
    (told,) = await town.backfill(path, edition)
    assert (told["status"], [part["pointer"] for part in told["left_out"]]) == ("edited", ["/name"])
    channel = await town.send("alice", "GET", f"{path}/channels/{answer['id']}", 200)
    assert (channel["name"], channel["purpose"]) == ("Ours", "Theirs")


@pytest.mark.parametrize("taken_back", [False, True], ids=["given", "taken back"])
async def test_an_acceptance_that_was_decided_here_stays(town: Town, taken_back: bool) -> None:
    path = await community(town)
    second = REPLY | {"source": "se:22", "body": "Another."}
    answers = await town.backfill(path, *BASE, second)
    ids = {answer["source"]: answer["id"] for answer in answers}
    thread, accepted = f"{path}/threads/{ids['se:1']}", None if taken_back else ids["se:2"]
    await town.send("alice", "PUT", f"{thread}/accepted-answer", 204, {"reply_id": ids["se:2"]})
    if taken_back:
        await town.send("alice", "DELETE", f"{thread}/accepted-answer", 204)
    now = datetime.now(UTC).isoformat()
    lines = [
        {"command": "accept-answer", "source": f"acc:{reply}", "subject": "bob", "occurred_at": now}
        | {"thread": "se:1", "reply": reply}
        for reply in ("se:22", "se:2")
    ]
    for _ in range(2):
        told = await town.backfill(path, *lines)
        assert statuses(told) == ["repeated"] * 2
        assert "left_out" in told[0]
    assert (await town.send("bob", "GET", thread, 200))["accepted_reply_id"] == accepted


async def test_the_first_import_of_what_was_edited_there_knows_when(town: Town) -> None:
    path = await community(town)
    dump = [CHANNEL, *(one | {"edited_at": EDITED} for one in (THREAD, REPLY, COMMENT))]
    answers = await town.backfill(path, *dump)
    assert statuses(answers) == ["applied"] * 4
    assert statuses(await town.backfill(path, *dump)) == ["repeated"] * 4
    assert [(await shown(town, path, one, answers))["edited_at"] for one in (THREAD, REPLY, COMMENT)] == [EDITED] * 3
    thread = answers[1]["id"]
    listed = [await town.look("bob", f"{path}/{at}") for at in ("threads", f"threads/{thread}/replies")]
    assert [one["items"][0]["edited_at"] for one in listed] == [EDITED] * 2

    older = [THREAD | {"body": "Older."}, REPLY | {"body": "Older.", "edited_at": "2015-12-31T00:00:00Z"}]
    assert statuses(await town.backfill(path, *older)) == ["repeated"] * 2


async def test_who_is_gone_there_or_another_stays_who_they_were_and_the_words_are_still_theirs(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    nobodys = [THREAD | {"subject": None}, COMMENT | {"subject": "bob"}, REPLY | {"subject": "carol"}]
    assert statuses(await town.backfill(path, *nobodys)) == ["repeated"] * 3
    edits = [one | {"edited_at": EDITED, "body": "Anew."} for one in nobodys]
    assert statuses(await town.backfill(path, *edits)) == ["edited"] * 3
    thread, comment, reply = [await shown(town, path, one, answers) for one in (THREAD, COMMENT, REPLY)]
    assert [thread["author_id"], comment["author_id"], reply["author_id"]] == [
        answers[1]["member"],
        answers[3]["member"],
        None,
    ]
    vault, subjects = metadata.tables["vault"], set()
    async with town.content.runtime.engine.connect() as connection:
        for row in await connection.execute(sa.select(vault.c.subject, vault.c.content)):
            if b"Anew." in bytes(row.content):
                subjects.add(row.subject and str(row.subject))
    assert subjects == {answers[1]["member"], answers[3]["member"], None}


async def test_what_was_deleted_here_stays_deleted(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    for one, who in ((COMMENT, "carol"), (REPLY, "alice"), (THREAD, "bob")):
        id_ = next(answer["id"] for answer in answers if answer["source"] == one["source"])
        await town.send(who, "DELETE", f"{path}/{WHERE[one['command']]}/{id_}", 204)
    edits = [one | {"edited_at": edited, "body": "Anew."} for one in BASE[1:] for edited in (EDITED, None)]
    assert statuses(await town.backfill(path, *edits)) == ["repeated"] * 6
    assert [(await shown(town, path, one, answers))["deleted"] for one in BASE[1:]] == [True] * 3


async def test_words_that_were_erased_are_not_brought_back(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    vault = metadata.tables["vault"]
    async with town.content.runtime.engine.begin() as connection:
        await connection.execute(sa.delete(vault).where(vault.c.subject == sa.cast(answers[1]["member"], sa.UUID)))
    edits = [THREAD | {"edited_at": EDITED, "body": "Anew.", "tags": ["anew"]}, THREAD | {"body": "Anew."}, THREAD]
    assert statuses(await town.backfill(path, *edits)) == ["repeated"] * 3
    assert (await shown(town, path, THREAD, answers))["body"] is None


async def test_a_dump_of_facts_gets_its_words_later_and_one_without_words_takes_none_away(town: Town) -> None:
    path = await community(town)
    facts = {"title": None, "body": None}
    without = [CHANNEL, THREAD | facts, REPLY | facts, COMMENT | {"body": None}]
    assert statuses(await town.backfill(path, *without)) == ["applied"] * 4
    answers = await town.backfill(path, *BASE)
    assert statuses(answers) == ["repeated", *["edited"] * 3]
    assert statuses(await town.backfill(path, *without)) == ["repeated"] * 4
    assert (await shown(town, path, THREAD, answers))["title"] == "How?"


async def test_what_was_moved_there_stays_where_it_is(town: Town) -> None:
    path = await community(town)
    await town.backfill(path, *BASE, THREAD | {"source": "se:9"}, CHANNEL | {"source": "se:other"})
    moved = [
        THREAD | {"channel": "se:other"},
        THREAD | {"channel": "se:nowhere"},
        REPLY | {"thread": "se:9"},
        REPLY | {"thread": "se:nowhere"},
        COMMENT | {"target": "se:9", "target_kind": "thread"},
        COMMENT | {"target": "se:nowhere"},
    ]
    assert statuses(await town.backfill(path, *moved)) == ["repeated"] * 6


async def test_an_accepted_answer_that_was_moved_there_keeps_its_acceptance_here(town: Town) -> None:
    path = await community(town)
    accepted = line("accept-answer", "se:v9", 8, thread="se:1", reply="se:2")
    await town.backfill(path, *BASE, THREAD | {"source": "se:9"}, accepted)

    moved = [REPLY | {"thread": "se:9"}, accepted | {"thread": "se:9"}]
    assert statuses(await town.backfill(path, *moved)) == ["repeated"] * 2
    (unknown,) = await town.backfill(path, accepted | {"thread": "se:9", "occurred_at": "2019-01-01T00:00:00Z"})
    assert unknown["problem"]["status"] == 404


@pytest.mark.parametrize(
    "edited_at",
    ["2999-01-01T00:00:00Z", "2015-03-01T11:59:59Z", "0001-01-01T00:00:00+14:00", "2016-01-01T00:00:00", "soon", 1],
)
async def test_an_edit_is_not_of_a_time_that_cannot_be(town: Town, edited_at: object) -> None:
    path = await community(town)
    answers = await town.backfill(path, *(one | {"edited_at": edited_at} for one in BASE))
    assert [answer["problem"]["errors"][0]["pointer"] for answer in answers] == ["/edited_at"] * 4


async def test_an_acceptance_that_moved_stands_where_it_was_given_last(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP[:7])
    replies = {answer["source"]: answer["id"] for answer in answers}

    async def accepted() -> object:
        return (await shown(town, path, THREAD, answers))["accepted_reply_id"]

    moved = line("accept-answer", "se:v9", 8, thread="se:1", reply="se:3")
    assert statuses(await town.backfill(path, moved, DUMP[6], moved)) == ["applied", "repeated", "repeated"]
    assert await accepted() == replies["se:3"]
    between = line("accept-answer", "se:v5", 7, thread="se:1", reply="se:2")
    assert statuses(await town.backfill(path, between)) == ["repeated"]
    assert await accepted() == replies["se:3"]


async def test_the_same_edition_sent_twice_at_once_is_one_edit(town: Town) -> None:
    path = await community(town)
    await town.backfill(path, *BASE)
    edition = THREAD | {"body": "Anew.", "edited_at": EDITED}
    assert sorted(statuses(await town.backfill(path, *[edition] * 5))) == ["edited", *["repeated"] * 4]


async def test_words_that_a_member_accepted_here_are_not_exchanged(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *BASE)
    ids = {answer["source"]: answer["id"] for answer in answers}
    thread = f"{path}/threads/{ids['se:1']}"
    await town.send("alice", "PUT", f"{thread}/accepted-answer", 204, {"reply_id": ids["se:2"]})
    before = await shown(town, path, REPLY, answers)
    edition = REPLY | {"body": "<p>Buy mine.</p>", "edited_at": EDITED}

    (kept,) = await town.backfill(path, edition)
    assert (kept["status"], [part["pointer"] for part in kept["left_out"]]) == ("repeated", [""])
    assert await shown(town, path, REPLY, answers) == before

    await town.send("alice", "DELETE", f"{thread}/accepted-answer", 204)
    assert statuses(await town.backfill(path, edition)) == ["edited"]
