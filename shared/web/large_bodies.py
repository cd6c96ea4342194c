"""Large bodies take room as they arrive, whatever they announce, and one caller has two of them at once.

Room goes to the eldest body that waits for some, and the eldest of all never waits: so one at least comes to its end,
however many have begun.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable

OF_A_CALLER = 2
"""Large bodies of one caller that arrive at once in a process."""


class LargeBodies:
    """All large bodies of a process: `size` bytes for all together, and as much more as the eldest has."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0
        """Bytes that bodies have taken."""
        self._bodies: dict[LargeBody, None] = {}
        self._callers: Counter[Hashable] = Counter()

    def begin(self, caller: Hashable) -> LargeBody:
        """The place of a body of that caller; it has to be ended."""
        return LargeBody(self, caller)

    def hand_out(self) -> None:
        """Give room to those that wait, the eldest first."""
        eldest = True
        for body in self._bodies:
            if body.taken == 0 and self._callers[body.caller] >= OF_A_CALLER:
                continue
            if body.waits and not eldest and self.taken + body.missing > self._size:
                return
            if body.waits:
                self._callers[body.caller] += body.taken == 0
                self.taken += body.missing
                body.take()
            eldest = False

    def add(self, body: LargeBody) -> None:
        self._bodies[body] = None

    def end(self, body: LargeBody) -> None:
        if body in self._bodies:
            del self._bodies[body]
            self.taken -= body.taken
            self._callers[body.caller] -= body.taken > 0
            if not self._callers[body.caller]:
                del self._callers[body.caller]
            self.hand_out()


class LargeBody:
    """The place of one body; it takes none before it is told to `grow`."""

    def __init__(self, all_of_them: LargeBodies, caller: Hashable) -> None:
        self._all = all_of_them
        self.caller = caller
        self.taken = self.missing = 0
        self.in_vain = False
        """Whether it waited for room until its time was up."""
        self._turn: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        return self._turn is not None and not self._turn.done()

    async def grow(self, size: int) -> None:
        """Have room for so many bytes in all, when there is some."""
        self._all.add(self)
        self.missing = size - self.taken
        self._turn = asyncio.get_running_loop().create_future()
        self._all.hand_out()
        try:
            await self._turn
        except asyncio.CancelledError:
            self.in_vain = True
            raise

    def take(self) -> None:
        """The room that is missing is there."""
        assert self._turn is not None, "room goes to those that wait"
        self.taken += self.missing
        self._turn.set_result(None)

    def end(self) -> None:
        """Give back all that was taken."""
        self._all.end(self)
