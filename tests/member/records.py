"""An event as the log has recorded it in the member service's tests."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from shared.events.event import Event, Recorded, encode_data, wire_name
from tests.member.people import ALICE, GARDEN

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STREAM = UUID(int=1)


def recorded(event: Event, version: int = 1) -> Recorded:
    return Recorded(
        "member", 0, 1, STREAM, version, wire_name(type(event)), UUID(int=2), GARDEN, ALICE, NOON, NOON, None,
        encode_data(event),
    )  # fmt: skip
