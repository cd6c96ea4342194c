"""A record as partners and readers of a topic see it: an envelope of CloudEvents 1.0 around the event's data."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.events.event import Instant, Recorded, Undecodable

_encoder = msgspec.json.Encoder()


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


def position_of(value: bytes | None) -> int | None:
    """The position of the record that these bytes are, None for what is no record of ours."""
    try:
        return from_wire(value or b"").position
    except Undecodable:
        return None
