"""Events of any service in the envelope of its log."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from shared.events.event import Event, Recorded, encode_data, wire_name
from tests.engagement.samples import NOON

COMMUNITY = UUID("00000000-0000-5000-8000-00000000c0de")


def recorded(event: Event, version: int = 1, at: datetime = NOON) -> Recorded:
    """The event as the log of its service would hold it."""
    name = wire_name(type(event))
    return Recorded(
        service=name.split(".")[1],
        partition=0,
        position=1,
        stream=uuid5(COMMUNITY, name),
        version=version,
        type=name,
        id=uuid5(COMMUNITY, f"{name} {version}"),
        community=COMMUNITY,
        actor=None,
        occurred_at=at,
        recorded_at=at,
        causation=None,
        data=encode_data(event),
    )
