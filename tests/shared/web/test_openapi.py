"""The document tells what each operation asks of its caller, made from what its route declares."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Query
from pydantic import ConfigDict, Field

from shared.service.service import create_app
from shared.settings import Settings
from shared.web import openapi
from shared.web.access.permissions import describe_permission as told_of
from shared.web.fields import Body
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


EXAMPLE: dict[str, Any] = {"seats": 3, "type": "integer", "maximum": 9.0}


class Bench(Body):
    """Its example looks like a schema, and is none."""

    seats: int = Field(ge=1, le=9)
    more: tuple[Annotated[int, Field(gt=0, lt=10, multiple_of=3)] | None, ...] = ()
    length: float = Field(1.5, ge=0, le=9)

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


def bounds(part: Any, found: list[Any]) -> list[Any]:
    """Every bound in a part of a document that is an integer's, as it is written there."""
    if isinstance(part, dict):
        found += [repr(part[name]) for name in openapi._BOUNDS if part.get("type") == "integer" and name in part]
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        bounds(inner, found)
    return found


def test_the_bounds_of_integers_are_integers() -> None:
    app = FastAPI()

    @app.post("/benches", operation_id="place_bench")
    async def place_bench(bench: Bench, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> None: ...

    openapi.complete(app, told_of)
    schemas = app.openapi()["components"]["schemas"]

    assert schemas["Bench"].pop("examples") == [EXAMPLE]
    assert repr(schemas["Bench"]["properties"]["length"]["maximum"]) == "9.0"
    assert sorted(bounds(app.openapi(), [])) == ["0", "1", "1", "10", "200", "3", "9"]
