"""The community in which the toy's API is called."""

from __future__ import annotations

from tests.shared.toy_api import Api

SQUARE = "/v1/communities/square"


async def opened(api: Api, **headers: str) -> str:
    answer = await api.call("POST", f"{SQUARE}/accounts", headers=headers)
    assert answer.status_code == 201
    return str(answer.json()["id"])
