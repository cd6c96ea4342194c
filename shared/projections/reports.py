"""What a reader says of its work: metrics, and a line in the log when something goes wrong and when it is over."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from prometheus_client import Counter, Gauge

from shared.projections.batches import Folded
from shared.projections.store import WatermarkConflict

FOLDED = Counter("guildhall_view_events", "Events folded or passed by, once per reader.", ["source"])
REPEATS = Counter("guildhall_view_repeats", "Records skipped because their position was read before.", ["source"])
UNKNOWN = Counter(
    "guildhall_view_unknown", "Events passed by because no view here reads their type.", ["source", "type"]
)
PARKED = Gauge("guildhall_parked_events", "Events set aside until somebody replays them.", ["view"])
FAILING = Gauge("guildhall_view_failing", "1 while batches of a source cannot be written.", ["source"])

_logger = structlog.get_logger(__name__)


class ReaderReports:
    """Of one source's part of a reader."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._problem: str | None = None

    def folded(self, folded: Folded) -> None:
        """A batch has been written."""
        source = self._source
        FOLDED.labels(source).inc(folded.events)
        if folded.repeats:
            REPEATS.labels(source).inc(folded.repeats)
        for name, count in folded.unknown.items():
            UNKNOWN.labels(source, name).inc(count)
        for parked in folded.batch.parked:
            PARKED.labels(parked.view).inc()
            _logger.error(
                "event is parked",
                view=parked.view,
                source=source,
                partition=parked.partition,
                position=parked.position,
                type=parked.type,
                reason=parked.reason,
            )

    def parked(self, counts: Mapping[str, int]) -> None:
        """So many events of each view are parked."""
        for view, count in counts.items():
            PARKED.labels(view).set(count)

    def failed(self, error: Exception) -> None:
        """Say so once."""
        problem = type(error).__name__
        if problem != self._problem:
            if isinstance(error, WatermarkConflict):
                _logger.info("watermark was moved by another", source=self._source)
            else:
                self._problem = problem
                FAILING.labels(self._source).set(1)
                _logger.warning("view cannot be written", source=self._source, problem=problem, exc_info=error)

    def goes_on(self) -> None:
        """Nothing is wrong any more."""
        if self._problem is not None:
            _logger.info("view is written again", source=self._source, after=self._problem)
            self._problem = None
            FAILING.labels(self._source).set(0)
