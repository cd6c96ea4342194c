"""A community with everything in it and everybody a community can have, the same at every run: ids follow from names.

Its words all hold its canary, so that they are found wherever they should not be.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.replicas.directory_lookup import BELIEVED
from tests.city.asking import Answer, Headers, Request
from tests.city.city import City

Json = dict[str, Any]

MEMBERS = ("owner", "administrator", "moderator", "author", "member")
"""Who is a member when a village is settled, by the role they are named for."""
OUTSIDERS = ("left", "applicant", "declined", "stranger", "nobody")
"""Who is not: `stranger` is a member of another village only, `nobody` of none."""
OPERATOR = "operator"
TRIES = 20
"""Repetitions, a second apart, of what a busy machine was too slow for."""

Kind = Literal["channel", "thread", "reply", "comment", "suggestion", "member"]


@dataclass
class Village:
    """`name` makes it another one. `ids` are what is in it, the author's first, by kind."""

    city: City
    name: str
    visibility: str = "public"
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    member_ids: dict[str, str] = field(default_factory=dict)
    replies_in: dict[str, str] = field(default_factory=dict)
    """A reply in a thread, by the thread's id."""
    left_behind: dict[str, str] = field(default_factory=dict)
    """By kind, what somebody made who has left."""
    _made: int = 0

    @property
    def path(self) -> str:
        return f"/v1/communities/{self.name}"

    @property
    def canary(self) -> str:
        return f"canary-{self.name}-sings"

    def subject(self, who: str) -> str:
        """The subject of somebody in their token; operators and strangers are the same everywhere."""
        return who if who in (OPERATOR, "stranger", "nobody") else f"{who} of {self.name}"

    def bearer(self, who: str) -> Headers:
        """The header of somebody's token, none for `anonymous`."""
        if who == "anonymous":
            return []
        scope = f"guildhall:found guildhall:backfill{' guildhall:operate' if who == OPERATOR else ''}"
        return [self.city.bearer(self.subject(who), scope)]

    def request(self, who: str, service: str, method: str, path: str, body: object = None, **headers: str) -> Request:
        """A request of somebody's below this community."""
        given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        content = [] if body is None else [(b"content-type", b"application/json")]
        encoded = b"" if body is None else json.dumps(body).encode()
        return Request(service, method, self.path + path, [*self.bearer(who), *given, *content], encoded)

    async def ask(self, who: str, service: str, method: str, path: str, body: object = None, **headers: str) -> Answer:
        return await self.city.ask(self.request(who, service, method, path, body, **headers))

    async def must(self, who: str, service: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        """As `ask`, and it has to succeed, at once or when it is repeated as a 503 asks for; the body of the answer."""
        answer = await self.ask(who, service, method, path, body, **headers)
        for _ in range(TRIES):
            if answer.status != 503:
                break
            await asyncio.sleep(1)
            answer = await self.ask(who, service, method, path, body, **headers)
        assert 200 <= answer.status < 300, (who, method, path, answer.status, answer.body)
        return answer.json() if answer.body else None

    async def make(self, kind: Kind, who: str = "author", within: str | None = None) -> str:
        """Something new of somebody's; its id. `within` is what it stands in, the first of its kind if left out."""
        self._made += 1
        key = f"{kind} {self._made}"
        made = await self.must(who, *self._making(kind, within), idempotency_key=key)
        self.ids[kind].append(made["id"])
        return str(made["id"])

    def _making(self, kind: Kind, within: str | None) -> tuple[str, str, str, Json]:
        words = f"{kind} {self._made}: {self.canary}"
        match kind:
            case "channel":
                return "content", "POST", "/channels", {"name": words[:100]}
            case "thread":
                place = within or self.ids["channel"][0]
                return "content", "POST", "/threads", {"channel_id": place, "title": words, "body": words, "tags": []}
            case "reply":
                return "content", "POST", f"/threads/{within or self.ids['thread'][0]}/replies", {"body": words}
            case "comment":
                return "content", "POST", f"/threads/{within or self.ids['thread'][0]}/comments", {"body": words}
            case "suggestion":
                return "feedback", "POST", "/suggestions", {"title": words, "body": words}
            case _:
                raise ValueError(kind)

    async def settle(self) -> Village:
        """Found it, let everybody in or out, and have something of each kind, by the author and by the owner."""
        founding = {
            "slug": self.name,
            "name": self.canary,
            "purpose": self.canary,
            "language": "en",
            "time_zone": "Europe/Paris",
            "visibility": self.visibility,
            "admission": "open",
        }
        founded = self.request("owner", "member", "POST", "", founding)
        answer = await self.city.ask(Request("member", "POST", "/v1/communities", founded.headers, founded.body))
        assert answer.status == 201, answer.body
        await self._people()
        await self._things()
        await self.must("left", "member", "DELETE", "/members/me")
        await asyncio.sleep(BELIEVED + 0.5)  # a look-up that permitted is believed for that long
        return self

    async def _people(self) -> None:
        async def join(who: str) -> None:
            answer = await self.must(who, "member", "POST", "/members")
            self.member_ids[who] = answer["id"]

        await asyncio.gather(*map(join, ("administrator", "moderator", "author", "member", "left")))
        owner = await self.must("owner", "member", "GET", "/members/me")
        self.member_ids["owner"] = owner["id"]
        for role in ("administrator", "moderator"):
            await self.must("owner", "member", "PUT", f"/roles/{role}/members/{self.member_ids[role]}")
        await self.must("owner", "member", "PATCH", "", {"admission": "application"})
        for who in ("applicant", "declined"):
            await join(who)
        await self.must("owner", "member", "POST", f"/members/{self.member_ids['declined']}/decline")
        for who in ("author", "member"):
            await self.must(who, "member", "PUT", "/members/me/profile", {"display_name": self.canary})
        self.ids["member"] = [self.member_ids[who] for who in ("author", *self.member_ids)]

    async def _things(self) -> None:
        await self.make("channel", "owner")
        await self.make("thread")
        await self.make("thread", "owner")
        first, second = self.ids["thread"]
        self.replies_in[first] = await self.make("reply", within=first)
        self.replies_in[second] = await self.make("reply", "owner", within=second)
        await self.make("comment")
        await self.make("comment", "owner")
        await self.make("suggestion")
        await self.make("suggestion", "owner")
        kinds: tuple[Kind, ...] = ("thread", "reply", "comment", "suggestion")
        for kind in kinds:
            self.left_behind[kind] = await self.make(kind, "left")
            self.ids[kind].remove(self.left_behind[kind])
        for target in (self.ids["thread"][0], self.ids["reply"][0]):
            await self.must("member", "engagement", "PUT", f"/reactions/{target}/like")
            await self.must("member", "engagement", "PUT", f"/views/{target}")
