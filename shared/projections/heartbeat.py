"""A reader looks every second that its watermarks stand, and notes where its views have reached the heads."""

from __future__ import annotations

import time

from shared.projections.batches import BatchBuilder
from shared.projections.store import ReadModelStore

HEARTBEAT = 1.0
"""Seconds between two notes in the database of where the views hold all there is."""


class Heartbeat:
    """Of one source."""

    def __init__(self, folder: BatchBuilder, store: ReadModelStore) -> None:
        self._folder = folder
        self._store = store
        self._beaten = 0.0

    async def beat(self) -> None:
        """Note it, if it is time to. Raises `WatermarkConflict` where the store has lost what was written."""
        now = time.monotonic()
        if now - self._beaten >= HEARTBEAT:
            self._beaten = now
            reached = {partition: state.reached for partition, state in self._folder.states.items()}
            await self._store.note(self._folder.names, self._folder.source, reached)
