"""Members are numbered as they appear, once for a process; a member's place is that among all in the order of ids.

Facts are kept by number, which never changes; what is shown or must not hang on who came first goes by place.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers

Ids = npt.NDArray[np.bytes_]
"""Member ids, 16 bytes each."""

UNKNOWN = -1
"""The number of a sender nobody knows; their place is the one after the last."""


@dataclass(frozen=True, slots=True)
class MemberIndex:
    """`ids` and `numbers` are by place. `places` are by number; that of nobody known comes last, where -1 finds it."""

    ids: Ids
    numbers: Integers
    places: Integers

    def __len__(self) -> int:
        return len(self.ids)

    def place_of(self, member: UUID) -> int | None:
        """The place of a member, None if nothing is known of them."""
        wanted = np.array([member.bytes], "S16")
        place = int(np.searchsorted(self.ids, wanted)[0])
        return place if place < len(self) and self.ids[place] == wanted[0] else None

    def id_of(self, place: int) -> UUID:
        """The id again; numpy takes zeros off the end of a string of bytes."""
        return UUID(bytes=bytes(self.ids[place]).ljust(16, b"\0"))

    def places_of(self, ids: Ids) -> Integers:
        """The places of ids; those of all zeros are unknown, all others must be in the index."""
        return np.where(ids == b"", len(self), self._places(ids)).astype(np.int32)

    def numbers_of(self, ids: Ids) -> Integers:
        """The numbers of ids, as `places_of`."""
        return np.append(self.numbers, np.int32(UNKNOWN))[self.places_of(ids)]

    def with_members(self, ids: Ids) -> MemberIndex:
        """The same with these members among all; everybody keeps their number."""
        member_index, ids = self, ids[ids != b""]
        while len(ids := ids[~member_index._are_at(member_index._places(ids), ids)]):
            _, first_of_each = np.unique(_prefixes(ids), return_index=True)
            member_index = member_index._with(ids[first_of_each])
        return member_index

    def _with(self, ids: Ids) -> MemberIndex:
        together = np.concatenate([self.ids, ids])
        order = np.argsort(together, kind="stable")
        numbers = np.concatenate([self.numbers, np.arange(len(self), len(together), dtype=np.int32)])[order]
        places = np.empty(len(together) + 1, np.int32)
        places[numbers] = np.arange(len(together))
        places[UNKNOWN] = len(together)
        return MemberIndex(together[order], numbers, places)

    def _places(self, ids: Ids) -> Integers:
        """Where ids stand in the index, or would stand."""
        # Almost always the first half of an id tells it from all others, and numbers are compared much faster.
        places = np.searchsorted(_prefixes(self.ids), _prefixes(ids))
        wrong = ~self._are_at(places, ids)
        places[wrong] = np.searchsorted(self.ids, ids[wrong])
        return places

    def _are_at(self, places: Integers, ids: Ids) -> npt.NDArray[np.bool_]:
        if not len(self):
            return np.zeros(len(ids), np.bool_)
        found: npt.NDArray[np.bool_] = self.ids.take(places, mode="clip") == ids
        return found


def _prefixes(ids: Ids) -> npt.NDArray[np.uint64]:
    """The first 8 bytes of each id as a number, in the order of the ids."""
    return np.ascontiguousarray(ids).view(">u8")[::2].astype(np.uint64)


NOBODY = MemberIndex(np.zeros(0, "S16"), np.zeros(0, np.int32), np.zeros(1, np.int32))
