"""A partition from which nothing comes is asked about: whether there should have been a record, and the same topic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from shared.events.errors import Unavailable
from shared.subscription.placement import Placement
from shared.subscription.topic_cursor import diagnose_silence

SILENCE = 5.0
"""Seconds of waiting for a partition until it is asked whether there should have been a record."""


class SilenceWatch:
    """Watches the partitions that are placed; `ends` asks where they end. Only waiting for the consumer counts."""

    def __init__(self, placement: Placement, ends: Callable[[], Awaitable[Mapping[int, int]]], silence: float) -> None:
        self._placement = placement
        self._ends = ends
        self._silence = silence
        self._checked = 0.0
        self._checking: asyncio.Task[str | list[int]] | None = None

    def begin_anew(self) -> None:
        """There is a new consumer."""
        self._placement.waited = self._checked = 0.0

    def cancel(self) -> None:
        """The consumer that was asked about is gone."""
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def check(self) -> None:
        """Every so often, whether what is silent should be. Raises `BROKER_AWAY` when records wait that do not come."""
        if self._checking is not None and self._checking.done():
            checking, self._checking = self._checking, None
            found = checking.result()
            if isinstance(found, str):
                raise TimeoutError(found)
            for partition in found:
                self._placement.search(partition)
            self._look_again()
        elif self._checking is None and self._placement.waited - self._checked >= self._silence / 2:
            self._checked = self._placement.waited
            self._checking = asyncio.create_task(self._ask(), name="watch-silence")

    def _look_again(self) -> None:
        """Look for what is missing; read what came last where nothing comes: it tells whether the topic is the same."""
        for partition, cursor in self._placement.cursors.items():
            if cursor.search_again(self._placement.waited):
                self._placement.search(partition)
            elif self._placement.waited - cursor.moved >= self._silence:
                cursor.moved = self._placement.waited
                if (offset := cursor.check()) is not None:
                    self._placement.read_on(partition, offset)

    async def _ask(self) -> str | list[int]:
        """What is wrong with the consumer, or else the partitions that the topic has less of than was read."""
        cursors, waited = self._placement.cursors, self._placement.waited
        silent = {p: cursor.next for p, cursor in cursors.items() if waited - cursor.moved >= self._silence}
        if not silent:
            return []
        try:
            ends = await self._ends()
        except Unavailable as error:
            return error.detail
        return diagnose_silence(cursors, silent, ends)
