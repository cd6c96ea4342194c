"""An event is a fact with a written wire name; around it lies a CloudEvents 1.0 envelope."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import ModuleType
from typing import Annotated, Any, cast, get_args, get_type_hints
from uuid import UUID

import msgspec

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its zone; on the wire RFC 3339."""

_encoder = msgspec.json.Encoder()


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of every event; a subclass writes its wire name down as `tag`."""

    def upcast(self) -> Event:
        """This event in the current version of its meaning; an old version overrides it."""
        return self


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


class UnknownType(LookupError):
    """A wire name that this reader has no class for."""


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


class Catalogue:
    """The event classes one reader understands, by wire name.

    A class that overrides `upcast` is an old version: it is decoded and handed out as its successor.
    """

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self.events: Mapping[str, type[Event]] = {wire_name(event): event for event in events}
        self._decoders = {name: msgspec.json.Decoder(event) for name, event in self.events.items()}

    @classmethod
    def of(cls, module: ModuleType) -> Catalogue:
        """Every event class that a module defines."""
        return cls(
            member
            for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, Event) and member is not Event and member.__module__ == module.__name__
        )

    def __contains__(self, name: str) -> bool:
        return name in self._decoders

    def decode(self, name: str, data: bytes | msgspec.Raw) -> Event:
        """The event of that wire name, in its current version.

        Raises `UnknownType` for a name that is not in the catalogue, `Undecodable` for data that does not fit it.
        """
        decoder = self._decoders.get(name)
        if decoder is None:
            raise UnknownType(name)
        try:
            event: Event = decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Undecodable(f"{name}: {error}") from error
        while (current := event.upcast()) is not event:
            event = current
        return event


def events_of(function: Any, parameter: str | None = None) -> tuple[type[Event], ...]:
    """The event classes that a function takes, read off the annotation of its last or a named parameter.

    A union gives its members; so `evolve` and `fold` say once, in their types, what they handle.
    """
    hints = get_type_hints(function)
    hints.pop("return", None)
    name = parameter or list(hints)[-1]
    members = get_args(hints[name]) or (hints[name],)
    wrong = [m for m in members if not (inspect.isclass(m) and issubclass(m, Event))]
    if wrong:
        raise TypeError(f"{function.__qualname__}: parameter {name!r} takes {wrong}, which are no events")
    return tuple(members)


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """CloudEvents 1.0, JSON structured mode, with Guildhall's extensions; the field names are the wire's."""

    id: UUID
    source: str
    type: str
    subject: UUID
    time: Instant
    dataschema: str
    community: UUID
    partition: int
    position: int
    streamversion: int
    recordedtime: Instant
    data: msgspec.Raw
    specversion: str = ""
    datacontenttype: str = ""
    actor: UUID | None = None
    causationid: UUID | None = None
    traceparent: str | None = None
    importedby: UUID | None = None


_envelopes = msgspec.json.Decoder(Envelope)


def to_wire(record: Recorded) -> bytes:
    """The record as CloudEvents JSON, ready for Kafka."""
    return _encoder.encode(
        Envelope(
            specversion="1.0",
            id=record.id,
            source=f"/guildhall/{record.service}",
            type=record.type,
            subject=record.stream,
            time=record.occurred_at,
            datacontenttype="application/json",
            dataschema=f"urn:guildhall:event:{record.type}",
            community=record.community,
            actor=record.actor,
            partition=record.partition,
            position=record.position,
            streamversion=record.version,
            recordedtime=record.recorded_at,
            causationid=record.causation,
            traceparent=record.traceparent,
            importedby=record.imported_by,
            data=msgspec.Raw(record.data),
        )
    )


def from_wire(value: bytes) -> Recorded:
    """What `to_wire` wrote. Raises `Undecodable` for anything else."""
    try:
        envelope = _envelopes.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"not a CloudEvents envelope: {error}") from error
    return Recorded(
        service=envelope.source.rpartition("/")[2],
        partition=envelope.partition,
        position=envelope.position,
        stream=envelope.subject,
        version=envelope.streamversion,
        type=envelope.type,
        id=envelope.id,
        community=envelope.community,
        actor=envelope.actor,
        occurred_at=envelope.time,
        recorded_at=envelope.recordedtime,
        causation=envelope.causationid,
        data=bytes(envelope.data),
        traceparent=envelope.traceparent,
        imported_by=envelope.importedby,
    )
