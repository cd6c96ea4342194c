"""What the member API's tests do again and again: found, join, look until the views have caught up."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx2 as httpx

from tests.member.running import Api

Json = dict[str, Any]


def founding(**changes: Any) -> Json:
    """A founding under a slug that nobody has."""
    return {
        "slug": f"garden-{uuid4().hex[:12]}",
        "name": "Garden",
        "purpose": "Growing things together",
        "language": "en",
        "time_zone": "Europe/Paris",
        "admission": "open",
        **changes,
    }


async def found(api: Api, by: str = "alice", **changes: Any) -> str:
    """Found a community; the path of it."""
    body = founding(**changes)
    answer = await api.by(by).post("/v1/communities", json=body)
    assert answer.status_code == 201, answer.text
    return f"/v1/communities/{body['slug']}"


async def join(api: Api, path: str, by: str) -> Json:
    answer = await api.by(by).post(f"{path}/members")
    assert answer.status_code == 201, answer.text
    joined: Json = answer.json()
    return joined


async def grant(api: Api, path: str, role: str, member: str, by: str = "alice") -> None:
    answer = await api.by(by).put(f"{path}/roles/{role}/members/{member}")
    assert answer.status_code == 204, answer.text


async def after(client: httpx.AsyncClient, write: httpx.Response, path: str) -> Json:
    """Read a list that knows of that write."""
    headers = {"guildhall-after": write.headers["guildhall-position"], "prefer": "wait=10"}
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found
