"""Facts of influence as arrays: as they are read, as they are kept by slot, and as they are scored by day.

A fact is `(when, receiver, sender, kind, importer, count)`; members are numbers of an index, importers of one of their
own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers, days_of
from services.projection.influence.member_index import UNKNOWN, MemberIndex

Rows = npt.NDArray[np.void]
"""Facts as they are read from the database: records of ROW."""

ROW = np.dtype(
    [
        *(("known", "i4"), ("slot", "i4"), ("receiver", "S16"), ("sender", "S16")),
        *(("kind", "i2"), ("importer", "S16"), ("count", "i8")),
    ]
)
"""Responses (count > 0), and withdrawals of them (count < 0, `known` at the slot of the withdrawal).

A sender nobody knows is the id of all zeros, as is the importer of what was done here; a kind is its place in the
policies' KINDS."""

SlotFacts = npt.NDArray[np.void]
"""Facts as they are kept: records of KEPT."""

KEPT = np.dtype(
    [
        *(("known", "i4"), ("slot", "i4"), ("receiver", "i4"), ("sender", "i4")),
        *(("kind", "i1"), ("importer", "i2"), ("count", "i4")),
    ]
)
"""As ROW, with numbers for ids."""

NOTHING: SlotFacts = np.zeros(0, KEPT)


HERE = UNKNOWN
"""The number in the place of an importer's: it was done here."""


def slot_facts(rows: Rows, member_index: MemberIndex, importers: MemberIndex) -> SlotFacts:
    """Rows with numbers for ids; the indexes have everybody in them."""
    facts = np.empty(len(rows), KEPT)
    for name in ("known", "slot", "kind", "count"):
        facts[name] = rows[name]
    for name in ("receiver", "sender"):
        facts[name] = member_index.numbers_of(rows[name])
    facts["importer"] = importers.numbers_of(rows["importer"])
    return facts


@dataclass(frozen=True, slots=True)
class DayFacts:
    """What stands at the end of a day, sorted by (day, receiver, sender's place, kind), count > 0.

    Each is there once for what was done here and for every importer.
    """

    day: Integers
    receiver: Integers
    sender: Integers
    kind: Integers
    importer: Integers
    count: Integers

    def __getitem__(self, rows: npt.NDArray[np.bool_] | Integers | slice) -> DayFacts:
        return replace(
            self,
            day=self.day[rows],
            receiver=self.receiver[rows],
            sender=self.sender[rows],
            kind=self.kind[rows],
            importer=self.importer[rows],
            count=self.count[rows],
        )


@dataclass(frozen=True, slots=True)
class DatedFacts:
    """Kept facts with days of the community for slots, sorted by (day, receiver, sender's place, kind)."""

    known: Integers
    facts: DayFacts

    def as_of(self, day: int) -> DayFacts:
        """What stood at the end of a day: responses made by then, less those withdrawn by then."""
        facts = self.facts[self.known <= day]
        starts = starts_of(facts.day, facts.receiver, facts.sender, facts.kind, facts.importer)
        net = sums(facts.count, starts)
        return replace(facts[starts[net > 0]], count=net[net > 0])


def dated(facts: SlotFacts, member_index: MemberIndex, zone: ZoneInfo) -> DatedFacts:
    """The facts by day of the community, in that time zone."""
    day, known = days_of(facts["slot"], zone), days_of(facts["known"], zone)
    order = order_of(day, facts["receiver"], member_index.places[facts["sender"]], facts["kind"], facts["importer"])
    receiver, sender, kind, importer = (facts[name][order] for name in ("receiver", "sender", "kind", "importer"))
    count = facts["count"][order].astype(np.int64)
    return DatedFacts(known[order], DayFacts(day[order], receiver, sender, kind, importer, count))


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
        if width == 1:
            continue
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
