"""Events of the content service in the envelope of its log."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5

from shared.events.event import Event, Recorded, encode_data, wire_name

COMMUNITY = UUID("00000000-0000-5000-8000-00000000c0de")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def recorded(event: Event, version: int = 1, at: datetime = NOON, stream: UUID | None = None) -> Recorded:
    """The event as the log would hold it."""
    name = wire_name(type(event))
    return Recorded(
        service="content",
        partition=0,
        position=1,
        stream=stream or uuid5(COMMUNITY, name),
        version=version,
        type=name,
        id=uuid5(COMMUNITY, f"{stream} {name} {version}"),
        community=COMMUNITY,
        actor=None,
        occurred_at=at,
        recorded_at=at,
        causation=None,
        data=encode_data(event),
    )
