"""What the served schema of a body refuses, the model refuses too: nothing is taken for something it is not."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import jsonschema_rs
import pytest
from pydantic import BaseModel, ValidationError

import services
from shared.web.backfill.command import Line
from shared.web.fields import Body

OTHERS: tuple[object, ...] = (
    None,
    0,
    1,
    -1,
    1.0,
    0.0,
    1.5,
    "",
    "0",
    "1",
    "true",
    "x",
    True,
    False,
    [],
    ["x"],
    {},
    {"x": 1},
)
"""A value of every kind of JSON, and those that Python takes for one another."""


def models() -> Iterator[type[BaseModel]]:
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    waiting: list[type[BaseModel]] = [Body, Line]
    while waiting:
        found = waiting.pop().__subclasses__()
        waiting += found
        yield from (model for model in found if model.__module__.startswith("services."))


@pytest.mark.parametrize("model", sorted(set(models()), key=str))
def test_a_field_takes_no_more_than_its_schema_says(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    for name in model.model_fields:
        field = {**schema["properties"][name], "$defs": schema.get("$defs", {})}
        for value in OTHERS:
            if not jsonschema_rs.is_valid(field, value):
                with pytest.raises(ValidationError) as refused:
                    model.model_validate({name: value})
                assert any(error["loc"][:1] == (name,) for error in refused.value.errors()), (name, value)
