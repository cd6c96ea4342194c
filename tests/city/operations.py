"""The operations that the services' own OpenAPI documents name, with validators for what goes in and what comes out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from tests.city.asking import Request

Json = dict[str, Any]
COMMUNITY = "/v1/communities/{community}"


@dataclass(frozen=True)
class Operation:
    """One operation of a served document. `path` is its template, `id` its operationId."""

    service: str
    method: str
    path: str
    spec: Json
    document: Json = field(repr=False)
    _validators: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        return str(self.spec["operationId"])

    @property
    def below(self) -> str:
        """The path below its community; the whole path where it is in none."""
        return self.path.removeprefix(COMMUNITY)

    @property
    def parameters(self) -> list[Json]:
        found: list[Json] = self.spec.get("parameters", [])
        return found

    @property
    def body_type(self) -> str | None:
        """The media type of its request body, None where it takes none."""
        return next(iter(self.spec.get("requestBody", {}).get("content", {})), None)

    @property
    def body_schema(self) -> Json | None:
        found: Json | None = None
        if self.body_type is not None:
            found = self.spec["requestBody"]["content"][self.body_type]["schema"]
        return found

    def fits_body(self, value: object) -> bool:
        """Whether a decoded body is one that the document describes."""
        return bool(self.validator("body", self.body_schema).is_valid(value))

    def validator(self, name: object, schema: Json | None) -> Any:
        """A compiled validator of a schema in this document."""
        if name not in self._validators:
            whole = {**(schema or {}), "components": self.document["components"]}
            self._validators[name] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[name]

    def response(self, status: int, media_type: str) -> tuple[bool, Json | None]:
        """Whether such an answer is documented, and the schema of its body."""
        responses = self.spec["responses"]
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if found is None:
            return False, None
        content = found.get("content")
        if not content:
            return media_type == "", None
        return (media_type in content), content.get(media_type, {}).get("schema")

    def resolve(self, schema: Json) -> Json:
        """The schema, or the one it refers to."""
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema


def operations(documents: Mapping[str, Any]) -> list[Operation]:
    """All of them, in the order of the documents."""
    return [
        Operation(service, method.upper(), path, spec, document)
        for service, document in documents.items()
        for path, item in document["paths"].items()
        for method, spec in item.items()
    ]


class Routes:
    """Which documented operations a request may mean, told from the documents alone."""

    def __init__(self, known: list[Operation]) -> None:
        self._known: dict[str, list[tuple[re.Pattern[str], Operation]]] = {}
        for op in sorted(known, key=lambda op: op.path.count("{")):
            shape = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", op.path))
            self._known.setdefault(op.service, []).append((shape, op))

    def at(self, service: str, path: str) -> list[Operation]:
        """The operations of the paths that match, those with fewer parameters first."""
        return [op for shape, op in self._known[service] if shape.fullmatch(path)]

    def of(self, request: Request, path: str) -> Operation | None:
        """The operation that a request means."""
        return next((op for op in self.at(request.service, path) if op.method == request.method), None)
