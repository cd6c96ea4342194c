"""A community with everything in it and everybody a community can have, the same at every run: ids follow from names.

Its words all hold its canary, so that they are found wherever they should not be.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from shared.replicas.directory_lookup import BELIEVED
from tests.city.asking import Answer, Headers, Request
from tests.city.city import City
from tests.city.kinds import GIVEN, KINDS, WHOEVER

MEMBERS = ("owner", "administrator", "moderator", "author", "member")
"""Who is a member when a village is settled, by the role they are named for."""
OUTSIDERS = ("left", "applicant", "declined", "stranger", "nobody")
"""Who is not: `stranger` is a member of another village only, `nobody` of none."""
OPERATOR = "operator"
TRIES = 20
"""Repetitions, a second apart, of what a busy machine was too slow for."""


@dataclass
class Village:
    """`name` makes it another one. `ids` are what is in it by kind (`kinds.py`), the author's first."""

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

    async def make(self, kind: str, who: str = "author", within: str | None = None) -> str:
        """Something new of somebody's; its id. `within` is what it stands in, the first of its kind if left out."""
        self._made += 1
        making = KINDS[kind].making
        assert making is not None, f"a village makes no {kind}"
        place = within or (self.ids[making.within][0] if making.within else "")
        body = making.body(f"{kind} {self._made}: {self.canary}", place)
        path = making.path.format(place=place)
        made = await self.must(who, making.service, "POST", path, body, idempotency_key=f"{kind} {self._made}")
        self.ids[kind].append(made["id"])
        if kind == "reply":
            self.replies_in.setdefault(place, made["id"])
        return str(made["id"])

    def thing(self, kind: str, who: str) -> str:
        """The id of somebody's thing of that kind; the first one's where they have none."""
        known = KINDS[kind]
        if known.person is not None:
            return self.member_ids[who if known.person == WHOEVER else known.person]
        if who == "left" and kind in self.left_behind:
            return self.left_behind[kind]
        return self.ids[kind][known.by.index(who) if who in known.by else 0]

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
        made = {name: kind.making for name, kind in KINDS.items() if kind.making is not None}
        for name, making in made.items():
            for who in KINDS[name].by:
                await self.make(name, who, self.thing(making.within, who) if making.within else None)
        for name in made:
            if "author" in KINDS[name].by:
                self.left_behind[name] = await self.make(name, "left")
                self.ids[name].remove(self.left_behind[name])
        for target in (self.ids["thread"][0], self.ids["reply"][0]):
            for service, method, path in GIVEN:
                await self.must("member", service, method, path.format(target=target))
