"""Heads as they are on their topic: how far a log is, and a time before which all that was acknowledged is in that.

They are no events and part of no contract; a service says them to those that read its events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from shared.kafka.signature import Headers, Signatures
from shared.kafka.topics import heads_topic_of
from shared.settings import Settings


class Heads(msgspec.Struct, frozen=True):
    """`positions` by partition; what was acknowledged before `at`, by the clock of the log's database, is within."""

    at: datetime
    positions: tuple[int, ...]


class HeadsWire:
    """Writes and reads one service's heads, signed like its events."""

    def __init__(self, settings: Settings, service: str) -> None:
        self.topic = heads_topic_of(service)
        self._partitions = settings.partitions
        self._signatures = Signatures(settings, service, self.topic)

    def write(self, heads: Heads) -> tuple[bytes, Headers]:
        """Value and headers of a record."""
        value = msgspec.json.encode(heads)
        return value, self._signatures.sign(0, value)

    def read(self, record: Any) -> Heads | None:
        """What a record says, as aiokafka hands it out; None for one that the service did not write."""
        if not self._signatures.genuine_record(record):
            return None
        try:
            heads = msgspec.json.decode(record.value or b"", type=Heads)
        except msgspec.MsgspecError:
            return None
        return heads if len(heads.positions) == self._partitions and heads.at.tzinfo is not None else None
