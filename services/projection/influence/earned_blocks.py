"""What was earned by the end of any day, in blocks of days: what changes makes its own block anew, and no other.

Days do not depend on each other: caps are of a day, and decay is applied when a day is asked about. So ten million
facts are worked through once, and then a block at a time. What is withdrawn later stood until then: the days it
concerns are worked out again for a question about a day in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from services.projection.days import SLOTS_A_DAY, Integers, days_of, first_slot, utc_day_of
from services.projection.influence.facts import KEPT, NOTHING, DatedFacts, Rows, SlotFacts, dated, slot_facts, starts_of
from services.projection.influence.member_index import NOBODY, Ids, MemberIndex
from services.projection.influence.points import Earned, earned
from services.projection.policies import Policies

BLOCK = 32
"""Days of a block."""

_END = 2**31 - 1
"""A day after all days."""

_BYTES = np.dtype((np.bytes_, KEPT.itemsize))


@dataclass(frozen=True, slots=True)
class Block:
    """What was earned in some days in the end; responses of `made` were withdrawn on `withdrawn`, which is later."""

    earned: Earned
    made: Integers
    withdrawn: Integers


class EarnedBlocks:
    """The facts of one community in one time zone, and what they earn."""

    def __init__(self, zone: ZoneInfo, policies: Policies) -> None:
        self.member_index: MemberIndex = NOBODY
        self.importers: MemberIndex = NOBODY
        self.rows = 0
        self._zone = zone
        self._policies = policies
        self._made: dict[int, SlotFacts] = {}
        self._withdrawn: dict[int, SlotFacts] = {}
        self._withdrawals: SlotFacts | None = None
        """All of them in one array, until one changes."""
        self._cancelled: SlotFacts = NOTHING
        self._blocks: dict[int, Block | None] = {}
        self._numbered: tuple[Ids, Integers] = (NOBODY.ids, NOBODY.numbers)

    def include(self, members: Ids) -> None:
        """Have these members in the index."""
        self.member_index = self.member_index.with_members(members)

    def numbers_of(self, members: Ids) -> Integers:
        """The numbers of members, who are in the index from then on; the same array is looked up only once."""
        if members is not self._numbered[0]:
            self.include(members)
            self._numbered = members, self.member_index.numbers_of(members)
        return self._numbered[1]

    def replace(self, days: Collection[int], rows: Rows) -> None:
        """Put these rows in the place of those that were known on these days of UTC."""
        facts = self._kept(rows)
        changed = [facts["slot"]]
        self._withdrawals = None
        for of_day, new in ((self._made, facts[facts["count"] > 0]), (self._withdrawn, facts[facts["count"] < 0])):
            before = [of_day.pop(day) for day in days if day in of_day]
            of_day.update(_split(new))
            changed += [part["slot"] for part in before]
            self.rows += len(new) - sum(map(len, before))
        self._make_anew(changed)

    def cancel(self, rows: Rows) -> bool:
        """Put these in the place of what deletions took away until now; whether that changed anything.

        A response may be known long after what it stands on was deleted, so that all of them are told each time.
        """
        now = self._kept(rows)
        # As bytes they are compared a hundred times faster than field by field.
        changed = np.setxor1d(now.view(_BYTES), self._cancelled.view(_BYTES)).view(KEPT)
        if len(changed):
            self.rows += len(now) - len(self._cancelled)
            self._cancelled = now
            self._make_anew([changed["slot"]])
        return len(changed) > 0

    def _kept(self, rows: Rows) -> SlotFacts:
        self.include(np.concatenate([rows["receiver"], rows["sender"]]))
        self.importers = self.importers.with_members(rows["importer"])
        return slot_facts(rows, self.member_index, self.importers)

    def _make_anew(self, slots: Sequence[Integers]) -> None:
        """Have the blocks of these slots worked out again when they are asked for."""
        blocks = np.unique(days_of(np.concatenate(slots), self._zone) // BLOCK)
        self._blocks.update(dict.fromkeys(blocks.tolist()))

    def earned(self, day: int) -> list[Earned]:
        """What was earned by the end of a day, in parts: each is sorted by day, and each day is in one of them."""
        parts: list[Earned] = []
        for number in sorted(number for number in self._blocks if number * BLOCK <= day):
            block = self._blocks[number]
            if block is None:
                block = self._blocks[number] = self._block(number)
            part = block.earned.until(day)
            otherwise = np.unique(block.made[(block.made <= day) & (block.withdrawn > day)])
            if len(otherwise):
                part = part.without(otherwise)
                then = self._dated(otherwise.tolist()).as_of(day)
                parts.append(earned(then, self.member_index, self.importers, self._policies))
            parts.append(part)
        return parts

    def _block(self, number: int) -> Block:
        facts = self._dated(range(number * BLOCK, (number + 1) * BLOCK))
        taken_back = facts.facts.count < 0
        return Block(
            earned(facts.as_of(_END), self.member_index, self.importers, self._policies),
            made=facts.facts.day[taken_back],
            withdrawn=facts.known[taken_back],
        )

    def _dated(self, days: Iterable[int]) -> DatedFacts:
        """The facts made on these days of the community, whenever withdrawn."""
        facts = [part for first, after in _spans(days, self._zone) for part in self._within(first, after)]
        return dated(_together(facts), self.member_index, self._zone)

    def _within(self, first: int, after: int) -> Iterator[SlotFacts]:
        """The facts made from one slot to before another."""
        for day in range(utc_day_of(first), utc_day_of(after - 1) + 1):
            if day in self._made:
                yield _between(self._made[day], first, after)
        yield _between(self._all_withdrawals(), first, after)
        yield _between(self._cancelled, first, after)

    def _all_withdrawals(self) -> SlotFacts:
        if self._withdrawals is None:
            self._withdrawals = _together(list(self._withdrawn.values()))
        return self._withdrawals


def _together(parts: Sequence[SlotFacts]) -> SlotFacts:
    # Told the type, numpy need not work it out field by field from thousands of parts.
    return np.concatenate(parts, dtype=KEPT) if parts else NOTHING


def _split(facts: SlotFacts) -> Mapping[int, SlotFacts]:
    """Facts by the day of UTC on which they became known; each day's holds no other's in memory."""
    days = facts["known"] // SLOTS_A_DAY
    order = np.argsort(days, kind="stable")
    facts, days = facts[order], days[order]
    starts = starts_of(days)
    parts = np.split(facts, starts[1:]) if len(starts) else []
    return {day: part.copy() for day, part in zip(days[starts].tolist(), parts, strict=True)}


def _spans(days: Iterable[int], zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """The slots of days of a community, from the first to before the last; days that follow each other together."""
    span: tuple[int, int] | None = None
    for day in days:
        first, after = first_slot(day, zone), first_slot(day + 1, zone)
        if span is not None and span[1] != first:
            yield span
            span = None
        span = (span[0] if span else first, after)
    if span is not None:
        yield span


def _between(facts: SlotFacts, first: int, after: int) -> SlotFacts:
    slots = facts["slot"]
    inside = (slots >= first) & (slots < after)
    return facts if inside.all() else facts[inside]
