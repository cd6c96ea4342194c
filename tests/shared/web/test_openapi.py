"""The document tells what each operation asks of its caller, made from what its route declares."""

from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI

from shared.service.service import create_app
from shared.settings import Settings
from shared.web import openapi
from shared.web.access.permissions import describe_permission as told_of
from tests.shared.toy_service import SERVICE


@pytest.fixture(scope="module")
def told() -> dict[str, object]:
    """`x-permission` of each operation."""
    document = create_app(SERVICE, Settings(_env_file=None)).openapi()
    return {
        operation["operationId"]: operation["x-permission"]
        for item in document["paths"].values()
        for operation in item.values()
    }


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("toys", {"who": "operator", "scope": "guildhall:operate"}),
        ("welcome", {"who": "anyone", "in": "community"}),
        ("who_am_i", {"who": "reader", "in": "community", "even_archived": True}),
        ("open_account", {"who": "member", "in": "community"}),
        ("close_account", {"who": "moderator", "in": "community"}),
        ("take_treasure", {"who": "owner", "in": "community"}),
        ("revive", {"who": "owner", "in": "community", "even_archived": True}),
        (
            "backfill_toy",
            {"who": "administrator", "in": "community", "scope": "guildhall:backfill", "even_archived": True},
        ),
    ],
)
def test_an_operation_tells_what_it_asks(told: dict[str, object], operation: str, expected: object) -> None:
    assert told[operation] == expected


def test_how_it_is_read_stands_in_the_document() -> None:
    document = create_app(SERVICE, Settings(_env_file=None)).openapi()

    assert "`x-permission`" in document["components"]["securitySchemes"]["token"]["description"]


def test_of_an_operation_that_declares_nothing_there_is_no_document() -> None:
    router, app = APIRouter(prefix="/v1"), FastAPI()

    @router.get("/open")
    async def open_to_all() -> None: ...

    app.include_router(router)
    openapi.complete(app, told_of)

    with pytest.raises(ValueError, match="/v1/open"):
        app.openapi()
