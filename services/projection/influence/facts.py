"""Facts of influence as arrays: as they are kept, by slot, and as they are scored, by day of the community.

A row of either is one of `(when, receiver, sender, kind, count)`. Members are numbered in the order of their ids, so
that sorting by number is sorting by id; a sender nobody knows has the number after the last, and so comes last.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import prod
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from services.projection.days import SLOTS_A_DAY, Integers, days_of

Ids = npt.NDArray[np.bytes_]
"""Member ids, 16 bytes each."""


Rows = npt.NDArray[np.void]
"""Facts as they are read from the database: records of ROW."""

ROW = np.dtype(
    [("known", "i4"), ("slot", "i4"), ("receiver", "S16"), ("sender", "S16"), ("kind", "i2"), ("count", "i8")]
)
"""As `SlotFacts`, with ids for numbers; a sender nobody knows is the id of all zeros."""


@dataclass(frozen=True, slots=True)
class SlotFacts:
    """Responses (count > 0) and withdrawals of them (count < 0, `known` at the slot of the withdrawal).

    `members` are everybody who appears in a row, and others besides; a kind is its place in the policies' KINDS.
    """

    members: Ids
    known: Integers
    slot: Integers
    receiver: Integers
    sender: Integers
    kind: Integers
    count: Integers

    @property
    def unknown(self) -> int:
        """The number of a sender nobody knows."""
        return len(self.members)

    def number_of(self, member: UUID) -> int | None:
        """The number of a member, None if nothing is known of them."""
        wanted = np.array([member.bytes], "S16")
        place = int(np.searchsorted(self.members, wanted)[0])
        return place if place < self.unknown and self.members[place] == wanted[0] else None

    def numbers_of(self, ids: Ids) -> Integers:
        """The numbers of ids; those of all zeros are unknown, all others must be among the members."""
        return np.where(ids == b"", self.unknown, self._places(ids)).astype(np.int32)

    def _places(self, ids: Ids) -> Integers:
        """Where ids stand among the members, or would stand."""
        # Almost always the first half of an id tells it from all others, and numbers are compared much faster.
        places = np.searchsorted(_heads(self.members), _heads(ids))
        wrong = ~self._are_at(places, ids)
        places[wrong] = np.searchsorted(self.members, ids[wrong])
        return places

    def _are_at(self, places: Integers, ids: Ids) -> npt.NDArray[np.bool_]:
        if not len(self.members):
            return np.zeros(len(ids), np.bool_)
        found: npt.NDArray[np.bool_] = self.members.take(places, mode="clip") == ids
        return found

    def id_of(self, number: int) -> UUID:
        """The id again; numpy takes zeros off the end of a string of bytes."""
        return UUID(bytes=bytes(self.members[number]).ljust(16, b"\0"))

    def with_members(self, ids: Ids) -> SlotFacts:
        """The same facts with these members among all, everybody numbered anew."""
        facts, ids = self, ids[ids != b""]
        while len(ids := ids[~facts._are_at(facts._places(ids), ids)]):
            _, first_of_each = np.unique(_heads(ids), return_index=True)
            members = np.union1d(facts.members, ids[first_of_each])
            number = np.append(np.searchsorted(members, facts.members), len(members)).astype(np.int32)
            facts = replace(facts, members=members, receiver=number[facts.receiver], sender=number[facts.sender])
        return facts

    def with_days(self, days: Collection[int], rows: Rows) -> SlotFacts:
        """The same facts with the rows known on these days of UTC replaced by others."""
        facts = self.with_members(np.concatenate([rows["receiver"], rows["sender"]]))
        stay = ~np.isin(facts.known // SLOTS_A_DAY, np.array(sorted(days), np.int32))
        return replace(
            facts,
            known=np.concatenate([facts.known[stay], rows["known"]]),
            slot=np.concatenate([facts.slot[stay], rows["slot"]]),
            receiver=np.concatenate([facts.receiver[stay], facts.numbers_of(rows["receiver"])]),
            sender=np.concatenate([facts.sender[stay], facts.numbers_of(rows["sender"])]),
            kind=np.concatenate([facts.kind[stay], rows["kind"].astype(np.int8)]),
            count=np.concatenate([facts.count[stay], rows["count"].astype(np.int32)]),
        )


def _heads(ids: Ids) -> npt.NDArray[np.uint64]:
    """The first 8 bytes of each id as a number, in the order of the ids."""
    return np.ascontiguousarray(ids).view(">u8")[::2].astype(np.uint64)


_NONE = np.zeros(0, np.int32)
NOTHING = SlotFacts(np.zeros(0, "S16"), _NONE, _NONE, _NONE, _NONE, np.zeros(0, np.int8), _NONE)


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What stands at the end of a day, sorted by (day, receiver, sender, kind), each once, count > 0."""

    members: int
    """How many members there are, and the number of the unknown one."""
    day: Integers
    receiver: Integers
    sender: Integers
    kind: Integers
    count: Integers

    def __getitem__(self, rows: npt.NDArray[np.bool_] | Integers | slice) -> DayFacts:
        return replace(
            self,
            day=self.day[rows],
            receiver=self.receiver[rows],
            sender=self.sender[rows],
            kind=self.kind[rows],
            count=self.count[rows],
        )


@dataclass(frozen=True, slots=True)
class DatedFacts:
    """The rows of `SlotFacts` with days of the community for slots, sorted by (day, receiver, sender, kind)."""

    members: int
    known: Integers
    day: Integers
    receiver: Integers
    sender: Integers
    kind: Integers
    count: Integers

    def settled(self, day: int) -> bool:
        """Whether nothing that stood at the end of a day was withdrawn later."""
        return not ((self.count < 0) & (self.known > day) & (self.day <= day)).any()

    def as_of(self, day: int) -> DayFacts:
        """What stood at the end of a day: responses made by then, less those withdrawn by then."""
        then = self.known <= day
        rows = (self.day[then], self.receiver[then], self.sender[then], self.kind[then])
        starts = starts_of(*rows)
        net = sums(self.count[then], starts)
        made, receiver, sender, kind = (column[starts[net > 0]] for column in rows)
        return DayFacts(self.members, made, receiver, sender, kind, net[net > 0])


def dated(facts: SlotFacts, zone: ZoneInfo) -> DatedFacts:
    """The facts by day of the community, in that time zone."""
    day, known = days_of(facts.slot, zone), days_of(facts.known, zone)
    order = order_of(day, facts.receiver, facts.sender, facts.kind)
    count = facts.count[order].astype(np.int64)
    columns = (known, day, facts.receiver, facts.sender, facts.kind)
    known, day, receiver, sender, kind = (column[order] for column in columns)
    return DatedFacts(facts.unknown, known, day, receiver, sender, kind, count)


def grouped(*columns: Integers) -> tuple[Integers, Integers]:
    """The order that sorts rows by these columns, and where in it each group of equal rows begins."""
    order = order_of(*columns)
    return order, starts_of(*(column[order] for column in columns))


def order_of(*columns: Integers) -> Integers:
    """The order that sorts rows by these columns; equal rows in any order."""
    # Sorting one number per row is several times faster than sorting by columns; mostly they fit into one.
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    lowest = [int(column.min()) for column in columns]
    widths = [int(column.max()) - low + 1 for column, low in zip(columns, lowest, strict=True)]
    if prod(widths) >= 2**63:
        return np.lexsort(columns[::-1])
    key = np.zeros(len(columns[0]), np.int64)
    for column, low, width in zip(columns, lowest, widths, strict=True):
        key *= width
        key += column
        key -= low
    return np.argsort(key)


def starts_of(*columns: Integers) -> Integers:
    """Where each group of equal rows begins, for rows that are sorted by these columns."""
    changes = np.ones(len(columns[0]), np.bool_)
    changes[1:] = False
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changes)


def sums(values: Integers, starts: Integers) -> Integers:
    """The sum of each group of values."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)
