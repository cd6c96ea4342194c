"""A line is asked whether it might be then: what changed since refuses nothing, and what is known is repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from shared.events.event import Recorded
from shared.replicas.directory_lookup import BELIEVED
from tests.content.test_backfill_api import CHANNEL, COMMENT, DUMP, ON_THREAD, REPLY, THREAD, community, line, statuses
from tests.content.town import Json, Town
from tests.member import api as members

Ids = dict[str, str]

NEW: dict[str, Json] = {
    "thread": THREAD | {"source": "new:1"},
    "reply": REPLY | {"source": "new:2", "subject": "bob"},
    "comment on a reply": COMMENT | {"source": "new:3", "subject": "bob"},
    "comment on a thread": ON_THREAD | {"source": "new:4", "subject": "bob"},
    "acceptance": line("accept-answer", "new:5", 8, "bob", thread="se:1", reply="se:2"),
}


async def nothing(town: Town, path: str, ids: Ids) -> None: ...


async def bob_left(town: Town, path: str, ids: Ids) -> None:
    async with town.member.by("bob") as client:
        assert (await client.delete(f"{path}/members/me")).status_code == 204


async def bob_came_back(town: Town, path: str, ids: Ids) -> None:
    await bob_left(town, path, ids)
    await members.join(town.member, path, "bob")


async def channel_archived(town: Town, path: str, ids: Ids) -> None:
    await town.send("alice", "POST", f"{path}/channels/{ids['se:channel']}/archive", 200)


async def thread_deleted(town: Town, path: str, ids: Ids) -> None:
    await town.send("bob", "DELETE", f"{path}/threads/{ids['se:1']}", 204)


async def reply_deleted(town: Town, path: str, ids: Ids) -> None:
    await town.send("alice", "DELETE", f"{path}/replies/{ids['se:2']}", 204)


async def community_archived(town: Town, path: str, ids: Ids) -> None:
    async with town.member.by("alice") as client:
        assert (await client.post(f"{path}/archive")).status_code == 200


SINCE: list[tuple[Callable[[Town, str, Ids], Awaitable[None]], dict[str, int], int]] = [
    # What changed since; lines of a time after the change that are refused, with the status; lines of then likewise.
    (nothing, {}, 0),
    (bob_left, dict.fromkeys(NEW, 403), 0),
    (bob_came_back, {}, 0),
    (channel_archived, {kind: 409 for kind in NEW if kind != "acceptance"}, 0),
    (thread_deleted, {kind: 409 for kind in NEW if kind != "thread"}, 0),
    (reply_deleted, {"comment on a reply": 409, "acceptance": 409}, 0),
    (community_archived, dict.fromkeys(NEW, 409), 409),
]


@pytest.mark.parametrize(("change", "refused", "then"), SINCE, ids=[row[0].__name__ for row in SINCE])
async def test_what_changed_since_by_kind_of_line_known_and_new(
    town: Town, change: Callable[[Town, str, Ids], Awaitable[None]], refused: dict[str, int], then: int
) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP[:6])
    ids = {answer["source"]: answer["id"] for answer in answers}
    await change(town, path, ids)
    await _heard(change)

    assert statuses(await town.backfill(path, *DUMP[:6])) == ["repeated"] * 6
    now = datetime.now(UTC).isoformat()
    for kind, new in NEW.items():
        (late,) = await town.backfill(path, new | {"source": f"late:{kind}", "occurred_at": now})
        assert late.get("problem", {}).get("status", 0) == refused.get(kind, 0), (kind, late)
        old, again = await town.backfill(path, new, new)
        if then:
            assert (old["status"], old["problem"]["status"]) == ("rejected", then)
        else:
            settled = kind == "acceptance" and kind not in refused  # the late one stands
            assert [old["status"], again["status"]] == ["repeated" if settled else "applied", "repeated"], (kind, old)
    thread = await town.send("alice", "GET", f"{path}/threads/{ids['se:1']}", 200)
    accepted = None if change in (reply_deleted, community_archived) else ids["se:2"]
    assert thread["accepted_reply_id"] == accepted


async def _heard(change: object) -> None:
    """Wait until the content service has heard of what the member service wrote."""
    if change in (bob_left, bob_came_back, community_archived):
        await asyncio.sleep(BELIEVED + 0.5)  # a look-up that permitted is believed for that long


async def test_who_never_was_a_member_is_refused_at_any_time(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP[:1], THREAD | {"subject": "stranger"}, THREAD | {"subject": "founder"})
    assert [answer.get("problem", {}).get("status") for answer in answers] == [None, 403, 403]


async def test_an_acceptance_of_what_was_deleted_since_ends_when_it_was_deleted(town: Town) -> None:
    path = await community(town)
    answers = await town.backfill(path, *DUMP[:6])
    ids = {answer["source"]: answer["id"] for answer in answers}
    await reply_deleted(town, path, ids)
    for acceptance in DUMP[6:]:
        assert statuses(await town.backfill(path, acceptance, acceptance)) == ["applied", "repeated"]
    thread = await town.send("bob", "GET", f"{path}/threads/{ids['se:1']}", 200)
    assert thread["accepted_reply_id"] == ids["se:3"]


async def test_an_edit_of_who_has_left_comes_in_and_none_in_an_archived_community(town: Town) -> None:
    path = await community(town)
    ids = {answer["source"]: answer["id"] for answer in await town.backfill(path, *DUMP[:6])}
    await bob_left(town, path, ids)
    await _heard(bob_left)
    edition = THREAD | {"body": "Anew.", "edited_at": "2016-01-01T00:00:00Z"}
    assert statuses(await town.backfill(path, edition)) == ["edited"]
    await community_archived(town, path, ids)
    await _heard(community_archived)
    later = edition | {"body": "Once more.", "edited_at": "2017-01-01T00:00:00Z"}
    same, new = await town.backfill(path, edition, later)
    assert (same["status"], new["status"], new["problem"]["status"]) == ("repeated", "rejected", 409)


async def test_a_line_reads_no_stream_again_however_long_it_is(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of thousands of acceptances was loaded whole for every line about it."""
    path = await community(town)
    second = REPLY | {"source": "se:22"}
    await town.backfill(path, CHANNEL, THREAD, REPLY, second)
    given = [
        line("accept-answer", f"acc:{n}", 8, "bob", thread="se:1", reply="se:22" if n % 2 else "se:2")
        | {"occurred_at": f"2016-01-01T00:{n:02}:00Z"}
        for n in range(40)
    ]
    assert {answer["status"] for answer in await town.backfill(path, *given)} == {"applied"}

    log, rows = town.content.runtime.commands.log, 0
    load = log.load

    async def counted(stream: UUID, after: int = 0) -> Sequence[Recorded]:
        nonlocal rows
        found = await load(stream, after)
        rows += len(found)
        return found

    monkeypatch.setattr(log, "load", counted)
    late = REPLY | {"source": "se:23", "occurred_at": "2016-01-01T00:05:30Z"}
    told = await town.backfill(path, *given, late)
    assert [answer["status"] for answer in told] == [*["repeated"] * 40, "applied"]
    assert rows < 40
