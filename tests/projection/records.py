"""Events of the other services as projection reads them, in the envelope of their log."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from shared.events.event import Event, Recorded, encode_data, wire_name
from tests.projection.histories import COMMUNITY

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recorded(
    event: Event,
    at: datetime = NOON,
    *,
    position: int = 1,
    stream: UUID | None = None,
    version: int = 1,
    imported_by: UUID | None = None,
    recorded_at: datetime | None = None,
) -> Recorded:
    """The event as the first of a stream of its own, or as any of the given one; recorded as it happened."""
    name = wire_name(type(event))
    return Recorded(
        service=name.split(".")[1],
        partition=0,
        position=position,
        stream=stream or uuid5(COMMUNITY, f"{name} {position}"),
        version=version,
        type=name,
        id=uuid5(COMMUNITY, f"event {name} {position} {version}"),
        community=COMMUNITY,
        actor=None,
        occurred_at=at,
        recorded_at=recorded_at or at,
        causation=None,
        data=encode_data(event),
        imported_by=imported_by,
    )
