"""A source's heads are asked for beside the reading: records that come meanwhile do not wait for the answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from shared.errors import Unavailable
from shared.stream.source import Source
from shared.tasks import Stray, end, only_own_cancellation


class Heads:
    """At most one question at a time. Kafka answers a connection in order: this one after the fetch under way."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asked = 0.0
        self._answer: asyncio.Task[Mapping[int, int]] | None = None

    async def look(self, *, ask: bool, wait: bool) -> tuple[float, Mapping[int, int]] | None:
        """An answer that is there, with the monotonic time of its question: those were the heads then, or later.

        With `ask` the question is put if none is open, with `wait` the answer is waited for. It is empty where the
        other end does not say.
        """
        if self._answer is None:
            if not ask:
                return None
            self._asked = time.monotonic()
            self._answer = asyncio.create_task(self._ask(), name=f"heads-{self._source.service}")
        if wait:
            await asyncio.wait([self._answer])
        if not self._answer.done():
            return None
        answer, self._answer = self._answer, None
        return self._asked, answer.result()

    async def _ask(self) -> Mapping[int, int]:
        try:
            with only_own_cancellation():
                return await self._source.heads()
        except (Unavailable, Stray):
            return {}

    async def close(self) -> None:
        if self._answer is not None:
            await end(self._answer)
