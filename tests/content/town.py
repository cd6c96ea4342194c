"""What tests of the content API do again and again: found a community, open, ask, answer, look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from tests.member import api as members
from tests.member.running import Api
from tests.positions import token_of

Json = dict[str, Any]

QUESTION = {"title": "When to prune roses?", "body": "Mine were planted last autumn.", "tags": ["roses"]}


@dataclass(frozen=True)
class Place:
    """A community with a channel; alice owns it. `path` is the community's."""

    path: str
    channel: str


@dataclass(frozen=True)
class Town:
    """Both services; the same subject is the same member in both."""

    content: Api
    member: Api

    def by(self, subject: str, scope: str = "") -> httpx.AsyncClient:
        """A client of the content service."""
        return self.content.by(subject, scope)

    async def found(self, *joining: str, moderator: str | None = None, **changes: Any) -> Place:
        """A community of alice's with those members, and a channel."""
        path = await members.found(self.member, "alice", **changes)
        for who in joining:
            joined = await members.join(self.member, path, who)
            if who == moderator:
                await members.grant(self.member, path, "moderator", joined["id"])
        channel = await self.made("alice", f"{path}/channels", {"name": "Gardening"})
        return Place(path, channel["id"])

    async def send(self, by: str, method: str, path: str, status: int, body: Json | None = None, **headers: str) -> Any:
        """Send a request that is to be answered with that status; the body of the answer."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.by(by).request(method, path, json=body, headers=given)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def made(self, by: str, path: str, body: Json) -> Json:
        """POST something new; it as it was answered."""
        made: Json = await self.send(by, "POST", path, 201, body)
        return made

    async def ask(self, place: Place, by: str = "bob", **changes: Any) -> Json:
        return await self.made(by, f"{place.path}/threads", {**QUESTION, "channel_id": place.channel, **changes})

    async def reply(self, place: Place, thread: Json, by: str = "carol", body: str = "In late winter.") -> Json:
        return await self.made(by, f"{place.path}/threads/{thread['id']}/replies", {"body": body})

    async def look(self, by: str, path: str, after: str | None = None) -> Json:
        """Read a list that knows of everything written so far, or of what stands at `after`."""
        assert self.content.runtime.log is not None
        heads = await self.content.runtime.log.heads()
        everything = token_of({("content", p): head for p, head in enumerate(heads)})
        headers = {"guildhall-after": after or everything, "prefer": "wait=10"}
        answer = await self.by(by).get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        return seen

    async def backfill(self, place: str, *lines: Json, by: str = "alice") -> list[Json]:
        """Bring lines in; their answers."""
        body = "".join(json.dumps(line) + "\n" for line in lines)
        answer = await self.by(by, "guildhall:backfill").post(
            f"{place}/content/backfill", content=body, headers={"content-type": "application/x-ndjson"}
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]
