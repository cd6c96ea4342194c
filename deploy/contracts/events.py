"""From event classes to JSON Schema 2020-12, and to a sample of each."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from shared.events.envelope import Envelope, to_wire
from shared.events.event import Event, Recorded, encode_data, wire_name
from shared.events.identity import derived_id
from shared.log.port import partition_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

_SAMPLE_TIME = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
_WORDS = {
    "slug": "french-meta",
    "name": "French Language Meta",
    "purpose": "Questions about how the site works.",
    "language": "fr",
    "time_zone": "Europe/Paris",
    "visibility": "public",
    "admission": "open",
    "role": "moderator",
    "kind": "helpful",
    "target_kind": "reply",
    "posting": "members",
    "medium": "link",
    "via": "open",
    "tags": "discussion",
    "fields": "skills",
}


def data_schema(event: type[Event]) -> Schema:
    """The JSON Schema of an event's `data`; the type stands in the envelope and is left out."""
    (_, components) = msgspec.json.schema_components([event], ref_template="#/$defs/{name}")
    schema = components.pop(event.__name__)
    schema["properties"].pop("type")
    schema["required"] = [name for name in schema.get("required", ()) if name != "type"]
    document = {
        "$schema": DIALECT,
        "$id": f"urn:guildhall:event:{wire_name(event)}",
        "title": event.__name__,
        "description": description(event),
        **{key: value for key, value in schema.items() if key not in ("title", "description")},
    }
    if components:
        document["$defs"] = {name: _described(part) for name, part in sorted(components.items())}
    return document


def envelope_schema() -> Schema:
    """The JSON Schema of the CloudEvents envelope around every event."""
    (_, components) = msgspec.json.schema_components([Envelope], ref_template="#/$defs/{name}")
    schema = components["Envelope"]
    properties = schema["properties"]
    properties["specversion"] = {"const": "1.0"}
    properties["datacontenttype"] = {"const": "application/json"}
    properties["data"] = {"type": "object"}
    return {
        "$schema": DIALECT,
        "$id": "urn:guildhall:envelope",
        "title": "Envelope",
        "description": description(Envelope),
        "type": "object",
        "properties": properties,
        "required": sorted({*schema["required"], "specversion", "datacontenttype"}),
    }


def description(thing: type) -> str:
    """The first paragraph of a class's own docstring."""
    own = thing.__doc__ if thing.__doc__ != Event.__doc__ else None
    return " ".join(inspect.cleandoc(own or "").split("\n\n")[0].split())


def _described(schema: Schema) -> Schema:
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split("\n\n")[0].split())
    return schema


def sample(service: str, event: type[Event], partitions: int = 12) -> bytes:
    """A message of that event as it stands on the topic, the same at every run."""
    name = wire_name(event)
    example = _example(event)
    stream = derived_id("sample", name)
    record = Recorded(
        service=service,
        partition=partition_of(stream, partitions),
        position=1,
        stream=stream,
        version=1,
        type=name,
        id=derived_id("sample event", name),
        community=_identifier("community"),
        actor=_identifier("actor"),
        occurred_at=_SAMPLE_TIME,
        recorded_at=_SAMPLE_TIME,
        causation=None,
        data=encode_data(example),
    )
    return msgspec.json.format(to_wire(record), indent=2) + b"\n"


def _example(event: type[Event]) -> Event:
    fields = msgspec.structs.fields(event)
    return event(**{field.name: _value(field.name, msgspec.inspect.type_info(field.type)) for field in fields})


@cache
def _identifier(name: str) -> UUID:
    return derived_id("sample", name)


def _value(name: str, kind: msgspec.inspect.Type) -> Any:
    match kind:
        case msgspec.inspect.UnionType(types=types):
            return _value(name, next(t for t in types if not isinstance(t, msgspec.inspect.NoneType)))
        case msgspec.inspect.Metadata(type=inner):
            return _value(name, inner)
        case msgspec.inspect.UUIDType():
            return _identifier(name)
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.StrType():
            return _WORDS.get(name, name.replace("_", "-"))
        case msgspec.inspect.DateTimeType():
            return _SAMPLE_TIME
        case msgspec.inspect.ListType(item_type=item):
            return [_value(name, item)]
        case msgspec.inspect.VarTupleType(item_type=item):
            return (_value(name, item),)
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls(**{field.name: _value(field.name, field.type) for field in fields})
        case _:
            raise TypeError(f"no sample is known for a field {name!r} of {kind}")


def by_name(events: Iterable[type[Event]]) -> list[type[Event]]:
    """Events in the order of their wire names, so that what is written does not depend on the code's order."""
    return sorted(events, key=wire_name)
