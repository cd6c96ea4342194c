"""What an importer learns of members by lines: nothing that is not marked as asked for.

Attack 7 and its kin, found by a second test.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from tests.attacks.target import BELIEVED, Place, Target, until
from tests.attacks.test_imports import brought_in, everything, line


async def test_no_line_tells_what_a_subject_did_here_themselves(target: Target) -> None:
    """7, kin: who voted, who reacted, who is here; of whoever did and of whoever did not, the same is said."""
    place = await target.found("bob", "mo", "carl", dora="administrator")
    await brought_in(place, "dora", everything("somebody"))
    ids = {
        one["source"]: one["id"]
        for service in ("content", "feedback")
        for one in await place.bring_in("dora", service, *everything("somebody")[service])
    }
    await place.must("bob", "PUT", f"/suggestions/{ids['s']}/votes/me")
    await place.must("bob", "PUT", f"/reactions/{ids['r']}/love")
    await place.must("alice", "POST", f"/suggestions/{ids['s']}/complete")
    await place.must("alice", "DELETE", f"/replies/{ids['r']}")
    await place.must("carl", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED)
    before = {service: len(await place.events(service)) for service in everything("")}
    now = datetime.now(UTC).isoformat()

    async def told(service: str, command: str, *whom: str, **more: Any) -> None:
        lines = [line(command, f"{command} {who}", place.subject(who), **more) | {"occurred_at": now} for who in whom]
        first, *others = [{**one, "line": 0, "source": ""} for one in await place.bring_in("dora", service, *lines)]
        assert all(one == first for one in others), (first, others)

    await told("feedback", "vote", "bob", "mo", suggestion="s")
    await told("engagement", "react", "bob", "mo", target="r", target_kind="reply", positive=True, kind="love")
    await told("member", "join", "bob", "carl")
    await place.must("alice", "POST", "/archive")
    await asyncio.sleep(BELIEVED)
    before["member"] += 1
    await told("feedback", "submit-suggestion", "bob", "carl", "who was never here")
    assert {service: len(await place.events(service)) for service in before} == before


async def test_an_anonymous_line_and_an_edit_tell_nobody(target: Target) -> None:
    """7, kin: what is written under nobody, or under its author, marks no subject; so it answers for none."""
    place = await target.found("bob", "carl", dora="administrator")
    hidden = line("submit-suggestion", "box", title="T", body="B", anonymous=True)
    (refused,) = await place.bring_in("dora", "feedback", hidden | {"subject": place.subject("bob")})
    assert (refused["status"], refused.get("member")) == ("rejected", None)
    assert refused["problem"]["errors"][0]["pointer"] == "/subject"
    (made,) = await place.bring_in("dora", "feedback", hidden)
    assert made["status"] == "applied"
    for number, subject in enumerate((place.subject("carl"), "who was never here"), 1):
        edition = line("submit-suggestion", "box", subject, title=f"T{number}")
        edition["edited_at"] = f"2021-01-0{number}T00:00:00Z"
        (edited,) = await place.bring_in("dora", "feedback", edition)
        assert (edited["status"], edited["member"]) == ("edited", None)
    await brought_in(place, "dora", everything("somebody"))
    other = line("open-thread", "t", "who was never here", channel="ch", title="New", edited_at="2021-01-01T00:00:00Z")
    (edited,) = await place.bring_in("dora", "content", other)
    assert (edited["status"], edited["member"]) == ("edited", None)
    events = [*await place.events("content"), *await place.events("feedback")]
    assert all(event["actor"] is None or event["actor"] == events[0]["actor"] for event in events)


async def test_a_channel_is_called_by_what_shows_of_its_source(target: Target) -> None:
    """17, kin: a name that is made of a source."""
    place = await target.found(dora="administrator")
    sources = ["\u202egnp.exe", "\x1b[31mred", "\u200b", "a\u200bdmin", "line1\nline2"]
    answers = await place.bring_in("dora", "content", *(line("open-channel", source, name=None) for source in sources))
    assert {answer["status"] for answer in answers} == {"applied"}, answers
    await until(lambda: _listed(place, len(sources)))
    shown = await place.must("alice", "GET", "/channels")
    assert {one["name"] for one in shown["items"]} == {"gnp.exe", "[31mred", "Channel", "admin", "line1 line2"}


async def _listed(place: Place, number: int) -> bool:
    return len((await place.must("alice", "GET", "/channels"))["items"]) == number
