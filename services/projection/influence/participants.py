"""Who takes part in the influence of a day: who was a member at its end, and who is no robot.

A robot is treated as nobody known is: what it gives is resonance, and neither reach nor authority.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pyroaring import AbstractBitMap, FrozenBitMap

from services.projection.days import Integers
from services.projection.influence.member_index import Ids, MemberIndex

MembershipPeriods = npt.NDArray[np.void]
"""Joinings and leavings as they are read from the database, each member's in order: records of TURN."""

TURN = np.dtype([("member", "S16"), ("slot", "i4"), ("here", "?")])


@dataclass(frozen=True, slots=True)
class Participants:
    """Of one day, by number: who was a member at its end and is no robot, and who is a robot."""

    members: AbstractBitMap
    robots: AbstractBitMap


@dataclass(frozen=True, slots=True)
class ParticipantIndex:
    """Everybody who ever joined or left, by number, each one's turns in order; and the robots."""

    member: Integers
    slot: Integers
    here: npt.NDArray[np.bool_]
    robots: AbstractBitMap

    def at(self, after: int) -> Participants:
        """Who takes part at the end of a day, `after` being the slot that follows it: the last turn before counts."""
        turns = np.flatnonzero(self.slot < after)
        member = self.member[turns]
        last = turns[np.append(member[1:] != member[:-1], True)] if len(turns) else turns
        there = FrozenBitMap(self.member[last[self.here[last]]].astype(np.uint32))
        return Participants(there - self.robots, self.robots)


NO_PEOPLE = ParticipantIndex(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.bool_), FrozenBitMap())


def people(turns: MembershipPeriods, robots: Ids, member_index: MemberIndex) -> ParticipantIndex:
    """With numbers for ids; the index has everybody in it."""
    numbers = member_index.numbers_of(robots).astype(np.uint32)
    return ParticipantIndex(
        member_index.numbers_of(turns["member"]), turns["slot"], turns["here"], FrozenBitMap(numbers)
    )


def numbers_in(members: AbstractBitMap) -> Integers:
    """The members of a set as an array."""
    return np.array(members.to_array(), np.int64)
