"""An event is what happened, as a class with a written wire name; what the log adds to it is in `Recorded`."""

from __future__ import annotations

import inspect
from datetime import datetime
from typing import Annotated, Any, cast, get_args, get_type_hints
from uuid import UUID

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its zone; on the wire RFC 3339."""

_encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of every event; a subclass writes its wire name down as `tag`.

    A newer version declares what becomes of the one before it, once: `@classmethod def upcast(cls, older: …V1)`. Who
    takes the newer one, reads the older ones too.
    """


class Text(msgspec.Struct, frozen=True):
    """A reference to something a member wrote: the words are in the vault, only this is in the event."""

    ref: UUID
    length: int
    language: str | None = None


class Recorded(msgspec.Struct, frozen=True):
    """An event as the log holds it: where it stands, what it belongs to, and its data still encoded."""

    service: str
    partition: int
    position: int
    stream: UUID
    version: int
    type: str
    id: UUID
    community: UUID
    actor: UUID | None
    occurred_at: datetime
    recorded_at: datetime
    causation: UUID | None
    data: bytes
    traceparent: str | None = None
    """Where the append stands in a trace (W3C Trace Context); None for all that nobody traces."""
    imported_by: UUID | None = None
    """The member who brought it in by a backfill; None for what was done here."""


class Undecodable(ValueError):
    """Bytes that are not what their wire name says."""


def wire_name(event: type[Event]) -> str:
    """The name a class of events has on the wire, `guildhall.<service>.<what-happened>.v<n>`."""
    return cast("str", event.__struct_config__.tag)


def encode_data(event: Event) -> bytes:
    """The event as a JSON object; its type is not repeated in it, since it stands beside it everywhere."""
    encoded = _encoder.encode(event)
    name_ends = len('{"type":"') + len(wire_name(type(event))) + len('"')
    if encoded[name_ends : name_ends + 1] == b",":
        return b"{" + encoded[name_ends + 1 :]
    return b"{}"


def events_of(function: Any, parameter: str | None = None) -> tuple[type[Event], ...]:
    """The event classes that a function takes, read off the annotation of its last or a named parameter.

    A union gives its members; so a `fold` says once, in its types, what it handles.
    """
    hints = get_type_hints(function)
    hints.pop("return", None)
    name = parameter or list(hints)[-1]
    members = get_args(hints[name]) or (hints[name],)
    wrong = [m for m in members if not (inspect.isclass(m) and issubclass(m, Event))]
    if wrong:
        raise TypeError(f"{function.__qualname__}: parameter {name!r} takes {wrong}, which are no events")
    return tuple(members)
