"""Where a partition of a topic is being read, and the search for that place.

After it was placed at a mark a partition is searched: nothing is handed out until the record after the mark is found,
at the mark's offset or, where another record is there, from the beginning. So a topic that was re-created and filled
again is read on without a gap, and records that stand before a gap's end are passed over, not handed out.

A record that is not the log's has no position, whatever it says: it is passed over as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from shared.events.envelope import position_of
from shared.polling import BackOff
from shared.subscription.source import Mark

SEARCHES = (1.0, 60.0)
"""Seconds until a hole is searched for again from the beginning, the first and the longest."""


class Fetched(Protocol):
    """What this module needs of aiokafka's record."""

    offset: int
    value: bytes | None


class NotAtOffset(Exception):
    """The record sought is not after the mark's offset; it is to be sought from the beginning."""


class TopicCursor:
    """One partition: `next` is the offset to read from, `hole` the position that was not found where it should be.

    `foreign` are the offsets of the records last sifted that are not `genuine`, each told once.
    """

    def __init__(self, mark: Mark, *, now: float = 0.0, genuine: Callable[[Any], bool] = lambda _: True) -> None:
        self.mark = mark
        self.next = 0 if mark.offset is None else mark.offset + 1
        self.moved = now
        self.hole: int | None = None
        self.foreign: list[int] = []
        self._genuine = genuine
        self._looked_at = -1
        self._searching = True
        self._confirmed = False
        """Whether this search has come to the end of a hole."""
        self._pause = BackOff(*SEARCHES)
        self._due: float | None = None
        self._checking = False
        self._from_beginning = mark.offset is None
        self._passed = 0 if mark.offset is None else mark.position
        self._last: Any = None
        self._read: Any = None

    @property
    def reached(self) -> Mark:
        """The mark of the last record handed out, for a consumer that begins anew."""
        if self._last is None:
            return self.mark
        position = position_of(self._last.value)
        return self.mark if position is None else Mark(max(position, self.mark.position), self._last.offset)

    def sift(self, records: Sequence[Fetched]) -> Sequence[Fetched]:
        """Those of the records to hand out. Raises `NotAtOffset` when they are to be read from the beginning."""
        self.foreign = []
        if self._checking:
            self._checking = False
            if not self._stands_here(records[0]):
                raise NotAtOffset
            records = records[1:]
        records = self._without_foreign(records)
        if records:
            self._read = records[-1]
        if self._searching:
            records = self._search(records)
        if records:
            self._last = records[-1]
        return records

    def _without_foreign(self, records: Sequence[Fetched]) -> Sequence[Fetched]:
        genuine = [record for record in records if self._genuine(record)]
        if len(genuine) < len(records):
            known = {record.offset for record in genuine}
            self.foreign = [r.offset for r in records if r.offset not in known and r.offset > self._looked_at]
        if records:
            self._looked_at = max(self._looked_at, records[-1].offset)
        return genuine

    def _search(self, records: Sequence[Fetched]) -> Sequence[Fetched]:
        sought = self.mark.position + 1
        repeat: Fetched | None = None
        for index, record in enumerate(records):
            # What cannot be read takes the place after the record before it: it must not be passed over unseen.
            known = position_of(record.value)
            position = known or self._passed + 1
            if position == sought:
                self._searching, self.hole = False, None
                return records[index:]
            if position > sought:
                if not self._from_beginning:
                    raise NotAtOffset
                self.hole, self._confirmed = sought, True
            elif known is not None:
                repeat = record
            self._passed = position
        # One repeat is enough for the reader to learn how far the topic has been looked through.
        return [] if repeat is None or self.hole is not None else [repeat]

    def search_again(self, now: float) -> bool:
        """Whether it is time to look for what is missing from the beginning once more; ever more seldom.

        A topic that was made anew in the middle of a search looks as if it had a hole, and one that has one is mended
        by its relay.
        """
        if self.hole is None or not self._confirmed:
            return False
        if self._due is None:
            self._due = now + self._pause.next()
        if now < self._due:
            return False
        self._due = None
        return True

    def check(self) -> int | None:
        """Where to read once more whether the last record is still there; None where none is known.

        A topic that was made again may end just where the old one did: nothing comes then, and nothing seems missing.
        """
        offset: int | None = self.mark.offset if self._read is None else self._read.offset
        self._checking = offset is not None and not (self._read is None and self._from_beginning)
        return offset if self._checking else None

    def why_silent(self, end: int) -> Literal["stalled", "shorter"] | None:
        """What it means that nothing came for long, of a topic that ends at this offset; None for nothing.

        A topic that is shorter than what was read of it was made again. One that ends just where the last record stood
        has no record to look at there, and waiting for it would be waiting for ever.
        """
        if end < self.next:
            return "shorter"
        return "stalled" if self._checking or self.next < end else None

    def _stands_here(self, record: Fetched) -> bool:
        """Whether this is the record that was last read at its offset; a mark may be that of a repeat."""
        position = position_of(record.value)
        if self._read is not None:
            return position == position_of(self._read.value)
        return position is None or position <= self.mark.position

    def restart(self, offset: int) -> None:
        """Search from the topic's beginning, which is at `offset`."""
        self.mark = self.reached
        self.next = offset
        self._searching, self._from_beginning, self._passed, self._last = True, True, 0, None
        self._checking, self._confirmed, self._read = False, False, None


def diagnose_silence(
    cursors: Mapping[int, TopicCursor], silent: Mapping[int, int], ends: Mapping[int, int]
) -> str | list[int]:
    """Of places that have been silent at these offsets: what is wrong with their reader, or which topics are shorter.

    `ends` are the offsets that the partitions end at by now. A place that has moved meanwhile is left alone.
    """
    found = {
        p: cursor.why_silent(ends[p]) for p, cursor in cursors.items() if silent.get(p) == cursor.next and p in ends
    }
    if stalled := [p for p in found if found[p] == "stalled"]:
        return f"no records came from partitions {stalled}, and there are some"
    return [p for p in found if found[p] == "shorter"]
