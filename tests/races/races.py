"""The races: what is sent at the same moment, and what the log may not hold afterwards. Each returns what it broke."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.races.ground import HEAD_START, MEETINGS, Ground, Seen, Sent, at_once

Race = Callable[[Ground], Awaitable[str | None]]


def _after(events: Sequence[Seen], first: Callable[[Seen], bool], then: Callable[[Seen], bool]) -> str | None:
    """What is wrong where a `then` stands behind a `first`."""
    for number, event in enumerate(events):
        if first(event):
            late = [other for other in events[number:] if then(other)]
            return f"{len(late)} × {late[0].name} behind {event.name}" if late else None
    return None


def _named(name: str, **data: object) -> Callable[[Seen], bool]:
    return lambda event: event.name == name and all(event.data.get(key) == value for key, value in data.items())


async def _owned(ground: Ground, path: str) -> str | None:
    """Whether the community has an owner, and every owner is a member."""
    members: set[str] = set()
    owners: set[str] = set()
    for event in await ground.events("member", path):
        who = event.data.get("member_id", "")
        if event.name == "member-joined":
            members.add(who)
        elif event.name in ("member-left", "member-removed"):
            members.discard(who)
        elif event.data.get("role") == "owner":
            (owners.add if event.name == "role-granted" else owners.discard)(who)
        if owners - members - {who}:
            return f"an owner who is no member, at {event.name}"
    if not owners:
        return "nobody owns it"
    return "an owner who is no member" if owners - members else None


async def leaving_while_made_owner(ground: Ground) -> str | None:
    path, ids = await ground.found("bob")
    await at_once(
        [
            ground.send("member", "alice", "PUT", f"{path}/roles/owner/members/{ids['bob']}"),
            ground.send("member", "bob", "DELETE", f"{path}/members/me"),
        ]
    )
    await at_once([ground.send("member", "alice", "DELETE", f"{path}/members/me")])
    return await _owned(ground, path)


async def last_owners_go(ground: Ground) -> str | None:
    path, ids = await ground.found("bob")
    await ground.grant(path, "owner", ids["bob"])
    await at_once(
        [
            ground.send("member", "alice", "DELETE", f"{path}/members/me"),
            ground.send("member", "alice", "DELETE", f"{path}/roles/owner/members/me"),
            ground.send("member", "bob", "DELETE", f"{path}/members/me"),
            ground.send("member", "bob", "DELETE", f"{path}/roles/owner/members/me"),
        ]
    )
    return await _owned(ground, path)


async def removing_while_made_owner(ground: Ground) -> str | None:
    path, ids = await ground.found("bob", "dora")
    await ground.grant(path, "administrator", ids["dora"])
    await at_once(
        [
            ground.send("member", "alice", "PUT", f"{path}/roles/owner/members/{ids['bob']}"),
            ground.send("member", "dora", "DELETE", f"{path}/members/{ids['bob']}"),
        ]
    )
    return await _owned(ground, path)


async def granting_while_revoked(ground: Ground) -> str | None:
    path, ids = await ground.found("dora", "bob", "carol", "eve", "finn")
    await ground.grant(path, "administrator", ids["dora"])
    targets = [ids[who] for who in ("bob", "carol", "eve", "finn")]
    await at_once(
        [
            *(ground.send("member", "dora", "PUT", f"{path}/roles/moderator/members/{who}") for who in targets),
            ground.send("member", "alice", "DELETE", f"{path}/roles/administrator/members/{ids['dora']}"),
        ],
        midway=True,
    )
    gone = _named("role-revoked", member_id=ids["dora"], role="administrator")
    events = await ground.events("member", path)
    return _after(events, gone, lambda e: e.name == "role-granted" and str(e.by) == ids["dora"])


async def forty_grants_while_revoked(ground: Ground) -> str | None:
    path, ids = await ground.found("dora")
    targets = await ground.bring_in(path, 40)
    await ground.grant(path, "owner", ids["dora"])
    await at_once(
        [
            *(ground.send("member", "dora", "PUT", f"{path}/roles/owner/members/{target}") for target in targets),
            ground.send("member", "alice", "DELETE", f"{path}/roles/owner/members/{ids['dora']}"),
        ],
        midway=True,
    )
    gone = _named("role-revoked", member_id=ids["dora"], role="owner")
    events = await ground.events("member", path)
    return _after(events, gone, lambda e: e.name == "role-granted" and str(e.by) == ids["dora"])


async def bringing_in_while_revoked(ground: Ground) -> str | None:
    path, ids = await ground.found("dora")
    await ground.grant(path, "administrator", ids["dora"])
    line = '{"command": "join", "source": "old:%d", "subject": "old:%d", "occurred_at": "2020-02-02T20:20:02Z"}'
    await at_once(
        [
            *(ground.backfill("member", "dora", path, [line % (n, n)]) for n in range(4)),
            ground.send("member", "alice", "DELETE", f"{path}/roles/administrator/members/{ids['dora']}"),
        ],
        midway=True,
    )
    gone = _named("role-revoked", member_id=ids["dora"], role="administrator")
    return _after(await ground.events("member", path), gone, _named("member-joined"))


async def moderating_while_revoked(ground: Ground) -> str | None:
    path, ids = await ground.found("dora", "bob")
    await ground.grant(path, "administrator", ids["dora"])
    await ground.describe(path, admission="application")
    applied = [await ground.made("member", who, f"{path}/members", {}) for who in ("eve", "finn")]
    await at_once(
        [
            ground.send("member", "dora", "POST", f"{path}/members/{applied[0]['id']}/acceptance"),
            ground.send("member", "dora", "POST", f"{path}/members/{applied[1]['id']}/decline"),
            ground.send("member", "dora", "PUT", f"{path}/members/{ids['bob']}/robot"),
            ground.send("member", "dora", "DELETE", f"{path}/members/{ids['bob']}"),
            ground.send("member", "dora", "PATCH", path, {"visibility": "members"}),
            ground.send("member", "alice", "DELETE", f"{path}/roles/administrator/members/{ids['dora']}"),
        ]
    )
    gone = _named("role-revoked", member_id=ids["dora"], role="administrator")
    return _after(await ground.events("member", path), gone, lambda e: str(e.by) == ids["dora"])


async def joining_while_closed(ground: Ground) -> str | None:
    path, _ = await ground.found()
    joining = [ground.send("member", who, "POST", f"{path}/members") for who in ("bob", "carol")]
    await at_once([*joining, ground.send("member", "alice", "PATCH", path, {"admission": "application"})])
    return _after(await ground.events("member", path), _named("community-described"), _named("member-joined"))


async def joining_while_archived(ground: Ground) -> str | None:
    path, _ = await ground.found()
    joining = [ground.send("member", who, "POST", f"{path}/members") for who in ("bob", "carol")]
    describing = ground.send("member", "alice", "PATCH", path, {"name": "Meadow"})
    await at_once([*joining, describing, ground.send("member", "alice", "POST", f"{path}/archive")])
    return _after(await ground.events("member", path), _named("community-archived"), _is_other)


def _is_other(event: Seen) -> bool:
    return event.name != "community-archived"


async def opening_while_channel_archived(ground: Ground) -> str | None:
    path, _ = await ground.found()
    channel = await ground.channel(path)
    thread = await ground.thread(path, channel)
    new = {"title": "Another", "body": "Words.", "tags": [], "channel_id": channel}
    await at_once(
        [
            ground.send("content", "alice", "POST", f"{path}/threads", new),
            ground.send("content", "alice", "POST", f"{path}/threads/{thread}/replies", {"body": "In March."}),
            ground.send("content", "alice", "POST", f"{path}/threads/{thread}/comments", {"body": "Where?"}),
            ground.send("content", "alice", "POST", f"{path}/channels/{channel}/archive"),
        ]
    )
    return _after(
        await ground.events("content", path), _named("channel-archived"), lambda e: e.name != "channel-archived"
    )


async def answering_while_deleted(ground: Ground) -> str | None:
    path, _ = await ground.found()
    thread = await ground.thread(path, await ground.channel(path))
    reply = (await ground.made("content", "alice", f"{path}/threads/{thread}/replies", {"body": "In March."}))["id"]
    await at_once(
        [
            ground.send("content", "alice", "POST", f"{path}/threads/{thread}/replies", {"body": "In May."}),
            ground.send("content", "alice", "POST", f"{path}/replies/{reply}/comments", {"body": "Why?"}),
            ground.send("content", "alice", "PUT", f"{path}/threads/{thread}/accepted-answer", {"reply_id": reply}),
            ground.send("content", "alice", "DELETE", f"{path}/threads/{thread}"),
        ]
    )
    events = await ground.events("content", path)
    return _after(
        events,
        _named("thread-deleted"),
        lambda e: e.name in ("reply-posted", "comment-posted", "answer-accepted"),
    )


async def accepting_while_reply_deleted(ground: Ground) -> str | None:
    path, _ = await ground.found()
    thread = await ground.thread(path, await ground.channel(path))
    reply = (await ground.made("content", "alice", f"{path}/threads/{thread}/replies", {"body": "In March."}))["id"]
    await at_once(
        [
            ground.send("content", "alice", "PUT", f"{path}/threads/{thread}/accepted-answer", {"reply_id": reply}),
            ground.send("content", "alice", "POST", f"{path}/replies/{reply}/comments", {"body": "Why?"}),
            ground.send("content", "alice", "DELETE", f"{path}/replies/{reply}"),
        ]
    )
    events = await ground.events("content", path)
    taken = [e.name for e in events if e.name in ("answer-accepted", "acceptance-withdrawn")]
    if any(e.name == "reply-deleted" for e in events) and taken.count("answer-accepted") > taken.count(
        "acceptance-withdrawn"
    ):
        return "an answer that was deleted stands accepted"
    return _after(events, _named("reply-deleted"), lambda e: e.name in ("answer-accepted", "comment-posted"))


async def voting_while_settled(ground: Ground) -> str | None:
    path, _ = await ground.found("bob")
    made = await ground.made("feedback", "alice", f"{path}/suggestions", {"title": "More benches"})
    suggestion = f"{path}/suggestions/{made['id']}"
    end = "decline" if ord(made["id"][-1]) % 2 else "complete"
    votes = [ground.send("feedback", who, "PUT", f"{suggestion}/votes/me") for who in ("alice", "bob")]
    await at_once([*votes, ground.send("feedback", "alice", "POST", f"{suggestion}/{end}")])
    return _after(
        await ground.events("feedback", path),
        lambda e: e.name in ("suggestion-completed", "suggestion-declined"),
        _named("suggestion-voted"),
    )


async def withdrawing_while_settled(ground: Ground) -> str | None:
    path, _ = await ground.found()
    made = await ground.made("feedback", "alice", f"{path}/suggestions", {"title": "More benches"})
    suggestion = f"{path}/suggestions/{made['id']}"
    await at_once([ground.send("feedback", "alice", "PUT", f"{suggestion}/votes/me")])
    await at_once(
        [
            ground.send("feedback", "alice", "DELETE", f"{suggestion}/votes/me"),
            ground.send("feedback", "alice", "POST", f"{suggestion}/complete"),
        ]
    )
    return _after(
        await ground.events("feedback", path), _named("suggestion-completed"), _named("suggestion-vote-withdrawn")
    )


RACES: Final[Mapping[str, Race]] = {
    "leaving while being made an owner": leaving_while_made_owner,
    "the last two owners go": last_owners_go,
    "being removed while being made an owner": removing_while_made_owner,
    "granting roles while one's own is revoked": granting_while_revoked,
    "making forty owners while one's ownership is revoked": forty_grants_while_revoked,
    "bringing in while one's role is revoked": bringing_in_while_revoked,
    "moderating while one's role is revoked": moderating_while_revoked,
    "joining while admission changes": joining_while_closed,
    "joining and describing while archived": joining_while_archived,
    "writing while the channel is archived": opening_while_channel_archived,
    "answering while the thread is deleted": answering_while_deleted,
    "accepting while the reply is deleted": accepting_while_reply_deleted,
    "voting while the suggestion is settled": voting_while_settled,
    "taking a vote back while it is settled": withdrawing_while_settled,
}

SHARES = {"making forty owners while one's ownership is revoked": 8}
"""One round in so many of a race that tries forty times in each."""

AT_ONCE = 2
"""Rounds under way at the same time."""


@dataclass
class Outcome:
    """What became of a race's rounds. `broken` are the rules that they broke, `met` counts those in which what races
    was under way at one moment, and `endings` are the ways they ended: which of the requests were taken.
    """

    rounds: int
    broken: list[str]
    met: int
    endings: Counter[tuple[bool, ...]]

    @property
    def raced(self) -> bool:
        """Whether most rounds met, and either side was first at times: a race that never races shows nothing."""
        return self.met * 2 > self.rounds and len(self.endings) > 1


def rounds_of(name: str, rounds: int) -> int:
    """How many rounds of a race are as good as so many of another."""
    return max(rounds // SHARES.get(name, 1), 8)


async def run(race: Race, ground: Ground, rounds: int, head_start: float = 0.01) -> Outcome:
    """So many rounds of a race, in which a side may be so many seconds ahead."""
    HEAD_START.set(head_start)
    room = asyncio.Semaphore(AT_ONCE)
    outcome = Outcome(rounds, [], 0, Counter())

    async def one() -> None:
        async with room:
            meetings: list[list[Sent]] = []
            MEETINGS.set(meetings)
            broken = await race(ground)
        outcome.broken += [broken] if broken else []
        outcome.met += any(_met(sent) for sent in meetings)
        outcome.endings[tuple(each.status < 400 for sent in meetings for each in sent)] += 1

    await asyncio.gather(*(one() for _ in range(rounds)))
    return outcome


def _met(sent: Sequence[Sent]) -> bool:
    """Whether the last of them was under way while another was."""
    *others, last = sent
    return any(other.began < last.ended and last.began < other.ended for other in others)
