"""What tests of the engagement API do again and again: found a community, open a thread, react, look."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from tests.content.town import Place
from tests.content.town import Town as ContentTown
from tests.member.running import Api
from tests.positions import token_of

Json = dict[str, Any]


@dataclass(frozen=True)
class Town:
    """Three services; the same subject is the same member in all of them."""

    engagement: Api
    around: ContentTown

    def by(self, subject: str, scope: str = "") -> httpx.AsyncClient:
        """A client of the engagement service."""
        return self.engagement.by(subject, scope)

    async def asked(self, *joining: str) -> tuple[Place, Json]:
        """A community with a thread of bob's."""
        place = await self.around.found("bob", *joining)
        return place, await self.around.ask(place)

    async def send(self, by: str, method: str, path: str, status: int, body: Json | None = None, **headers: str) -> Any:
        """Send a request that is to be answered with that status; the body of the answer."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.by(by).request(method, path, json=body, headers=given)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def look(self, by: str, path: str) -> Json:
        """Read what knows of everything written so far."""
        assert self.engagement.runtime.log is not None
        heads = await self.engagement.runtime.log.heads()
        everything = token_of({("engagement", p): head for p, head in enumerate(heads)})
        headers = {"prefer": "wait=10", "guildhall-after": everything}
        answer = await self.by(by).get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        seen: Json = answer.json()
        return seen

    async def events(self) -> int:
        """How many events the engagement service has written."""
        assert self.engagement.runtime.log is not None
        return sum(await self.engagement.runtime.log.heads())

    async def backfill(self, path: str, *lines: Json, by: str = "alice") -> list[Json]:
        """Bring lines in; their answers."""
        body = "".join(json.dumps(line) + "\n" for line in lines)
        answer = await self.by(by, "guildhall:backfill").post(
            f"{path}/engagement/backfill", content=body, headers={"content-type": "application/x-ndjson"}
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]
