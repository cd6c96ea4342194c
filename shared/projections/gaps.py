"""What is done about a position that is missing: it is read on from the mark at once, and then now and again.

Where the record after a mark is to be found is the source's to know; a topic's searches it from the beginning. A gap
that is not filled within a few seconds is a stall: shown, logged as an error, and looked for without an end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client import Gauge

from shared.polling import BackOff

STALLED = Gauge(
    "guildhall_view_stalled", "Position that is missing in a partition; 0 for none.", ["source", "partition"]
)

PATIENCE = 5.0
"""Seconds after which an unfilled gap is called a stall."""
SEARCHES = (1.0, 60.0)
"""Seconds between looks, the first and the longest."""

_logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Gap:
    missing: int
    began: float
    pause: BackOff = field(default_factory=lambda: BackOff(*SEARCHES))
    due: float | None = None


class Gaps:
    """One source's. `stalled` is told, by source and partition, which positions cannot be found."""

    def __init__(self, source: str, stalled: dict[tuple[str, int], int]) -> None:
        self._source = source
        self._stalled = stalled
        self._gaps: dict[int, _Gap] = {}

    def __bool__(self) -> bool:
        return bool(self._gaps)

    def found(self, partition: int, missing: int) -> bool:
        """A position was missing where it should have been: whether to read on from the mark now."""
        gap = self._gaps.get(partition)
        if gap is None or gap.missing != missing:
            self._gaps[partition] = _Gap(missing, time.monotonic())
            _logger.warning("gap", source=self._source, partition=partition, missing=missing)
            return True
        if gap.due is None:
            self._stall(partition, gap)
            gap.due = time.monotonic() + gap.pause.next()
        return False

    def tend(self, reached: Callable[[int], int]) -> list[int]:
        """Close the gaps that were filled; the partitions to read on in from their marks now."""
        now = time.monotonic()
        again = []
        for partition, gap in list(self._gaps.items()):
            if reached(partition) >= gap.missing:
                self._close(partition, gap)
            elif gap.due is not None and now >= gap.due:
                gap.due = None
                again.append(partition)
            elif now - gap.began >= PATIENCE:
                self._stall(partition, gap)
        return again

    def _close(self, partition: int, gap: _Gap) -> None:
        del self._gaps[partition]
        if self._stalled.pop((self._source, partition), None) is not None:
            STALLED.labels(self._source, partition).set(0)
        _logger.info("missing position was found", source=self._source, partition=partition, position=gap.missing)

    def _stall(self, partition: int, gap: _Gap) -> None:
        place = (self._source, partition)
        if self._stalled.get(place) != gap.missing:
            self._stalled[place] = gap.missing
            STALLED.labels(*place).set(gap.missing)
            _logger.error("stalled", source=self._source, partition=partition, missing=gap.missing)
