"""The API document says of every operation what no route should repeat: errors, ids, positions, who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.events import positions
from shared.web.problems import MEDIA_TYPE

_TEMPLATE = "#/components/schemas/{model}"

PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457). `type` is stable; `detail` says what to do.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "description": "Name it when asking about this."},
        "errors": {
            "type": "array",
            "description": "By field: a JSON pointer into the body, or a parameter and where it was.",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "in": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "examples": [
        {
            "type": "urn:guildhall:problem:not-found",
            "title": "Not found",
            "status": 404,
            "detail": "There is no such community.",
            "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        }
    ],
}

_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request changes nothing more and is answered as the first one "
    "was, whatever has happened since. With another body it is 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_REPLAYED = {
    "description": "`true` where this is the answer to an earlier request with the same `Idempotency-Key`.",
    "schema": {"type": "string", "examples": ["true"]},
}
_POSITION = {
    "description": "Where the change stands in the log. Send it to a read as `Guildhall-After` to see the change.",
    "schema": {"type": "string", "examples": [positions.EXAMPLE]},
}
_ETAG = {
    "description": "Version of what is shown. Send it with a change as `If-Match`.",
    "schema": {"type": "string", "examples": ['"3"']},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "ETags of what the caller has, or `*`. Shown is what has another; else the answer is 304.",
    "schema": {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$', "examples": ['"3"']},
}

_AFTER = {
    "name": "Guildhall-After",
    "in": "header",
    "required": False,
    "description": "`Guildhall-Position` of a change, or positions of a freshness: what is decided and shown is at "
    "least as far, or the answer is 503 when that takes too long.",
    "schema": {"type": "string", "examples": [positions.EXAMPLE]},
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "Of `Guildhall-After` (RFC 7240): `wait=N` waits up to N seconds, at most 10, without it 2; "
    "`stale=ok` has a read answered after that as far as it is, with `Preference-Applied: stale=ok`, in place of a "
    "503.",
    "schema": {"type": "string", "examples": ["wait=5", "wait=1, stale=ok"]},
}


def complete(
    app: FastAPI,
    permission: Callable[[APIRoute], object],
    sent: Sequence[type[BaseModel]] = (),
    answered: Sequence[type[BaseModel]] = (),
    *,
    keyed: bool = True,
) -> None:
    """Have the application's document contain what its operations have in common.

    `x-permission` of an operation is what `permission` says of its route; it raises for one that declares nothing.
    `sent` and `answered` are models that no route names, because they are lines of a body and not the whole of it.
    `keyed` is whether what changes take an `Idempotency-Key` for is kept (`idempotency.py`).
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            schemas["Problem"] = PROBLEM
            wanted = [(model, "validation") for model in sent] + [(model, "serialization") for model in answered]
            if wanted:
                schemas.update(models_json_schema(wanted, ref_template=_TEMPLATE)[1]["$defs"])  # type: ignore[arg-type]
            routes = _routes(app)
            for path, method, operation in _operations(document):
                _complete(method, operation, keyed=keyed)
                operation["x-permission"] = permission(routes[path, method])
            _whole_bounds(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _whole_bounds(part: Any) -> None:
    """Make the bounds of integers integers: FastAPI's own model of a schema has every bound as a float."""
    if isinstance(part, dict):
        if part.get("type") == "integer":
            for bound in _BOUNDS & part.keys():
                if isinstance(part[bound], float) and part[bound].is_integer():
                    part[bound] = int(part[bound])
        for name, inner in part.items():
            if name not in ("example", "examples"):
                _whole_bounds(inner)
    elif isinstance(part, list):
        for inner in part:
            _whole_bounds(inner)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        if path.startswith("/v1"):
            for method, operation in item.items():
                yield path, method, operation


def _routes(app: FastAPI) -> dict[tuple[str, str], APIRoute]:
    """The routes by path and method as the document names them."""
    return {
        (context.path_format or "", method.lower()): route
        for context in iter_route_contexts(app.routes)
        if isinstance(route := context.original_route, APIRoute)
        for method in route.methods or ()
    }


def _complete(method: str, operation: dict[str, Any], *, keyed: bool) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}}}
    responses["4XX"] = {"description": "The request is at fault.", **problem}
    responses["5XX"] = {"description": "The service is at fault; 503 may be repeated.", **problem}
    if method == "get":
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
        responses["304"] = {"description": "What the caller has is what would be shown.", "headers": {"ETag": _ETAG}}
    if operation["operationId"].startswith("backfill_"):
        return
    operation.setdefault("parameters", []).extend([_AFTER, _PREFER])
    if method == "get":
        return
    if keyed:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    for status, response in responses.items():
        if status.startswith("2"):
            headers = {"Guildhall-Position": _POSITION, "ETag": _ETAG}
            response.setdefault("headers", {}).update(headers | ({"Idempotent-Replayed": _REPLAYED} if keyed else {}))
