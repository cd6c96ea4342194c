"""What is brought in is marked for ever, brings nobody back, and a line that is refused tells nothing of anybody.

Attacks 6 and 7. The quota of lines: `tests/shared/web/backfill/test_backfill.py`.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.attacks.target import BELIEVED, Json, Place, Target, until
from tests.attacks.test_counting import influence

AT = "2020-01-01T00:00:00Z"
LATER = "2020-01-02T00:00:00Z"


def line(command: str, source: str, subject: str | None = None, **more: Any) -> Json:
    return {"command": command, "source": source, "subject": subject, "occurred_at": AT, **more}


def everything(subject: str) -> dict[str, list[Json]]:
    """Every command of every service, in somebody's name."""
    return {
        "member": [line("join", "j", subject)],
        "content": [
            line("open-channel", "ch", subject, name="Brought in"),
            line("open-thread", "t", subject, channel="ch", title="T", body="B"),
            line("post-reply", "r", subject, thread="t", body="B"),
            line("post-comment", "c", subject, target="t", target_kind="thread", body="B"),
            line("accept-answer", "a", subject, thread="t", reply="r"),
        ],
        "engagement": [line("react", "x", subject, target="r", target_kind="reply", positive=True)],
        "feedback": [
            line("submit-suggestion", "s", subject, title="T", body="B"),
            line("vote", "v", subject, suggestion="s"),
        ],
    }


async def brought_in(place: Place, who: str, lines: dict[str, list[Json]]) -> dict[str, list[Json]]:
    """The answers, by service; engagement hears of content by its topic, so it is asked again until it has."""
    found = {}
    for service, given in lines.items():
        answers = await place.bring_in(who, service, *given)
        while service == "engagement" and "not-found" in str(answers):
            answers = await place.bring_in(who, service, *given)
        found[service] = answers
    return found


async def test_whatever_an_administrator_says_in_another_name_carries_the_administrators(target: Target) -> None:
    """6: every command of every service: in the log, on the topic's envelope, and in what is shown."""
    place = await target.found(dora="administrator")
    answers = await brought_in(place, "dora", everything("somebody"))

    assert {one["status"] for given in answers.values() for one in given} == {"applied"}, answers
    for service in answers:
        rows = [row for row in await place.events(service) if row["imported_by"] is not None]
        assert {str(row["imported_by"]) for row in rows} == {place.ids["dora"]}
        speaking = [row for row in await place.events(service) if str(row["actor"]) == answers["member"][0]["member"]]
        assert speaking, service
        assert all(row["imported_by"] is not None for row in speaking), service
    thread, reply, comment = (answers["content"][n]["id"] for n in (1, 2, 3))
    suggestion = answers["feedback"][0]["id"]
    for path in (
        f"/threads/{thread}",
        f"/replies/{reply}",
        f"/comments/{comment}",
        f"/suggestions/{suggestion}",
        f"/channels/{answers['content'][0]['id']}",
    ):
        assert (await place.must("bob", "GET", path))["imported_by"] == place.ids["dora"], path
    reactions = await place.must("bob", "GET", f"/reactions?target={reply}")
    assert {item["imported_by"] for item in reactions["items"]} == {place.ids["dora"]}


@pytest.mark.parametrize("how", ["left", "removed", "declined", "withdrawn"])
async def test_nobody_is_brought_back_who_is_not_here_by_a_decision(target: Target, how: str) -> None:
    """6: whoever left, and whoever was removed, declined or has taken the application back; once and twice."""
    place = await target.found(dora="administrator")
    if how in ("declined", "withdrawn"):
        await place.must("alice", "PATCH", "", {"admission": "application"})
    bob = await place.join("bob")
    match how:
        case "removed":
            await place.must("alice", "DELETE", f"/members/{bob}")
        case "declined":
            await place.must("alice", "POST", f"/members/{bob}/decline", {})
        case _:
            await place.must("bob", "DELETE", "/members/me")
    before = len(await place.events("member"))

    for at in (AT, LATER, "2100-01-01T00:00:00Z"):
        for robot in (False, True):
            joining = line("join", f"again {at}", place.subject("bob"), robot=robot) | {"occurred_at": at}
            (answer,) = await place.bring_in("dora", "member", joining)
            assert answer["status"] == ("rejected" if at > "2099" else "repeated"), answer
    assert len(await place.events("member")) == before
    assert (await place.must("alice", "GET", f"/members/{bob}"))["status"] == how


async def test_who_has_left_does_not_act_by_a_line_of_afterwards(target: Target) -> None:
    """6, kin: writing, reacting and voting as somebody who was no member then; the same where they never were."""
    place = await target.found("bob", dora="administrator")
    await brought_in(place, "dora", everything("somebody"))
    await place.must("bob", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED)  # other services hear of it by the topic
    now = (await place.events("member"))[-1]["recorded_at"].isoformat()
    for subject in (place.subject("bob"), "who was never here"):
        for service, lines in everything(subject).items():
            # An acceptance that is known is repeated, whoever is said to have given it.
            asked = [one for one in lines if one["command"] not in ("join", "accept-answer")]
            later = [one | {"source": f"{one['source']} of {subject}", "occurred_at": now} for one in asked]
            if not later:
                continue
            answers = await place.bring_in("dora", service, *later)
            assert {one["status"] for one in answers} == {"rejected"}, (subject, service, answers)


async def test_without_role_and_scope_nobody_speaks_for_others(target: Target) -> None:
    """6, kin: who may bring in at all, in each service."""
    place = await target.found("bob", mo="moderator", dora="administrator")
    for service in ("member", "content", "engagement", "feedback"):
        for who, scope in (
            ("bob", "guildhall:backfill"),
            ("mo", "guildhall:backfill"),
            ("stranger", "guildhall:backfill"),
            ("dora", ""),
            ("dora", "guildhall:found"),
            ("dora", "guildhall:backfill2 GUILDHALL:BACKFILL"),
            ("alice", None),
        ):
            headers = {"content-type": "application/x-ndjson"}
            answer = await place.by(who, "POST", f"/{service}/backfill", scope=scope, content="{}", headers=headers)
            assert answer.status_code == 403, (service, who, scope, answer.text)


async def test_lines_that_are_refused_tell_no_member_and_write_nothing(target: Target) -> None:
    """7: by every way to be sure of a refusal, in each service, of a subject who is here under a pseudonym."""
    place = await target.found("bob", dora="administrator")
    bob, subject = place.ids["bob"], place.subject("bob")
    wrong: list[Json] = []
    for changes in (
        {"occurred_at": "2999-01-01T00:00:00Z"},
        {"occurred_at": "1899-01-01T00:00:00Z"},
        {"occurred_at": "2020-01-01"},
        {"source": ""},
        {"edited_at": "2019-01-01T00:00:00Z"},
        {"body": "\x00"},
        {"channel": "none", "thread": "none", "target": "none", "suggestion": "none", "reply": "none"},
        {"unknown": 1},
        {"command": "promote"},
    ):
        wrong += [changes]
    before = {service: len(await place.events(service)) for service in everything(subject)}
    for service, lines in everything(subject).items():
        sent = [one | changes for one in lines for changes in wrong if service != "member" or "channel" not in changes]
        sent = [one for one in sent if _is_wrong(one)]
        answers = await place.bring_in("dora", service, *sent)
        for one, answer in zip(sent, answers, strict=True):
            assert answer["status"] == "rejected", (one, answer)
            assert (answer.get("member"), answer.get("id")) == (None, None), (one, answer)
            assert bob not in str(answer), (one, answer)
    assert {service: len(await place.events(service)) for service in before} == before


async def test_lines_that_are_known_already_tell_no_member_either(target: Target) -> None:
    """7, kin: a repeated line writes nothing and leaves no mark, so it could ask of every subject in turn."""
    place = await target.found("bob", dora="administrator")
    await brought_in(place, "dora", everything("somebody"))
    thread = await place.thread("bob")
    suggestion = await place.suggestion("bob")
    await place.must("bob", "PUT", f"/suggestions/{suggestion}/votes/me")
    await place.must("bob", "PUT", f"/reactions/{thread}/like")
    bob = place.ids["bob"]
    before = {service: len(await place.events(service)) for service in everything("")}

    for service, lines in everything(place.subject("bob")).items():
        asked = [one for one in lines if one["command"] not in ("react", "vote")]  # theirs alone: they would be written
        for answer in await place.bring_in("dora", service, *asked) if asked else []:
            assert answer["status"] == "repeated", answer
            assert answer["member"] is None, answer
            assert bob not in str(answer), answer
            if service == "member":
                assert answer["id"] is None, "it follows from the member id, and lists hold those of all"
    assert {service: len(await place.events(service)) for service in before} == before
    again = await brought_in(place, "dora", everything("somebody"))
    assert {one["status"] for given in again.values() for one in given} == {"repeated"}
    somebody = again["member"][0]["member"]
    assert {one["member"] for given in again.values() for one in given} == {somebody}


def _is_wrong(one: Json) -> bool:
    """Whether a line cannot be applied: a field that its command has not is wrong, as is what it names."""
    named = {"open-thread": "channel", "post-reply": "thread", "post-comment": "target", "accept-answer": "thread"}
    named |= {"react": "target", "vote": "suggestion"}
    return one["command"] in named or "channel" not in one


async def test_who_is_revoked_while_they_bring_in_writes_nothing_more(target: Target) -> None:
    """4 and 6, kin: a request without end outlasted the role and the token."""
    place = await target.found(dora="administrator")
    token = target.token(place.subject("dora"), "guildhall:backfill")
    reader, writer = await asyncio.open_connection("127.0.0.1", target.ports["content"])
    head = f"POST /v1/communities/{place.slug}/content/backfill HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n"
    writer.write(f"{head}content-type: application/x-ndjson\r\nauthorization: Bearer {token}\r\n\r\n".encode())

    async def send(number: int) -> str:
        """The answer to the line; empty where the answers have ended."""
        sent = json.dumps(line("open-channel", f"ch{number}", name="C")).encode() + b"\n"
        writer.write(b"%x\r\n%b\r\n" % (len(sent), sent))
        async with asyncio.timeout(60):
            while b"status" not in (answer := await reader.readline()):
                if not answer or answer == b"0\r\n":
                    return ""
        return answer.decode()

    try:
        assert "applied" in await send(0)
        await place.must("alice", "DELETE", f"/members/{place.ids['dora']}")
        await asyncio.sleep(BELIEVED)
        assert "rejected" in await send(1)
        assert not await send(2), "it went on"
    finally:
        writer.transport.abort()


async def test_what_an_import_gave_is_marked_in_influence_and_taken_back_whole(target: Target) -> None:
    """6 and 8: an administrator's invented subjects count until the import is withdrawn, and it is seen until then."""
    place = await target.found("bob", dora="administrator")
    now = datetime.now(UTC)
    joined, written = ({"occurred_at": (now - timedelta(minutes=n)).isoformat()} for n in (30, 20))
    thread = line("open-thread", "t", place.subject("bob"), channel="ch", title="T", body="B")
    await place.bring_in("dora", "content", line("open-channel", "ch", name="C"), thread)
    joins = [line("join", f"j{n}", f"puppet {n}") | joined for n in range(5)]
    replies = [line("post-reply", f"r{n}", f"puppet {n}", thread="t", body="B") | written for n in range(5)]
    await place.bring_in("dora", "member", *joins)
    await place.bring_in("dora", "content", *replies)

    before = await _influence(place)
    assert before["of_imports"]["reach"] == before["reach"] == 5
    await place.must("alice", "PUT", f"/imports/{place.ids['dora']}/withdrawal")

    async def gone() -> bool:
        found = await _influence(place)
        return (found["reach"], found["resonance"]) == (0, 0.0)

    await until(gone)

    async def reached_again() -> bool:
        return bool((await _influence(place))["reach"] == 5)

    await place.must("alice", "DELETE", f"/imports/{place.ids['dora']}/withdrawal")
    await until(reached_again)


async def _influence(place: Place) -> Json:
    await influence(place, "bob")  # once all has been heard of
    found: Json = await place.must("alice", "GET", f"/metrics/influence/{place.ids['bob']}")
    return found


async def test_who_has_left_is_written_for_by_no_joining_of_the_future(target: Target) -> None:
    """The second test, 5: a joining that lies a moment ahead, then a line of just after it, when they have left."""
    place = await target.found(dora="administrator")
    joins = datetime.now(UTC) + timedelta(seconds=55)
    (joined,) = await place.bring_in("dora", "member", line("join", "j", place.subject("fred"), occurred_at=str(joins)))
    assert joined["status"] == "applied", joined
    await place.must("fred", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED)
    after = str(joins + timedelta(milliseconds=1))
    written = line("submit-suggestion", "s", place.subject("fred"), title="T", body="B", occurred_at=after)
    (answer,) = await place.bring_in("dora", "feedback", written)
    assert (answer["status"], answer["problem"]["status"]) == ("rejected", 403), answer
