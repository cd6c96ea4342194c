"""A source in memory that does all that a real one may do: repeat, interleave, cut anywhere, go back, fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random

from shared.events.envelope import from_wire
from shared.events.event import Undecodable
from shared.projections.runner import ProjectionRunner
from shared.projections.store import Batch
from shared.subscription.source import Mark, Message
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import Books


class ScriptedSource:
    """Hands out `messages` (by partition). With a `random` it repeats, interleaves and cuts as that says."""

    def __init__(self, service: str, messages: list[list[Message]], random: Random | None = None) -> None:
        self.service = service
        self.partitions = len(messages)
        self.messages = messages
        self.sought: list[tuple[int, Mark]] = []
        self._random = random
        self._next = [0] * len(messages)

    async def start(self, after: Mapping[int, Mark]) -> None:
        for partition, mark in after.items():
            self._next[partition] = self._after(partition, mark)

    async def read(self, limit: int, wait: float) -> Sequence[Message]:
        await asyncio.sleep(0)
        messages: list[Message] = []
        order = list(range(self.partitions))
        if self._random is not None:
            self._random.shuffle(order)
            order = order[: self._random.randint(1, len(order))]
            order += order[: self._random.randint(0, len(order))]  # repeats within one batch, too
        for partition in order:
            begin, end = self._next[partition], limit
            if self._random is not None:
                begin = max(0, begin - self._random.choice([0, 0, 1, 5]))
                end = self._random.randint(0, 6)
            messages += self.messages[partition][begin : begin + end]
            self._next[partition] = max(self._next[partition], min(begin + end, len(self.messages[partition])))
        if not messages:
            await asyncio.sleep(0.001)
        return messages

    async def seek(self, partition: int, mark: Mark) -> None:
        self.sought.append((partition, mark))
        self._next[partition] = self._after(partition, mark)

    async def close(self) -> None:
        self.sought.clear()

    def _after(self, partition: int, mark: Mark) -> int:
        """Behind the record of that position, as far as that can be told from the records."""
        last = 0
        for index, message in enumerate(self.messages[partition]):
            try:
                if from_wire(message.value or b"").position <= mark.position:
                    last = index + 1
            except Undecodable:
                continue
        return last


class FailingStore(MemoryReadModelStore):
    """Fails with that probability: before a transaction, or after it, when nobody knows how it ended."""

    random = Random(0)
    probability = 0.0

    async def write(self, batch: Batch) -> object:
        dice = self.random.random()
        if dice < self.probability / 2:
            raise ConnectionError("before")
        token = await super().write(batch)
        if dice < self.probability:
            raise ConnectionError("after")
        return token


def sources(books: Books, random: Random | None = None) -> list[ScriptedSource]:
    """One for each service of the test's domain."""
    return [ScriptedSource(service, books.messages(service), random) for service in ("alpha", "beta")]


async def read_until(reader: ProjectionRunner, done: Callable[[], bool], timeout: float = 20.0) -> None:
    """Run the reader until that holds; what the reader raises is raised."""
    task = asyncio.create_task(reader.run())
    try:
        async with asyncio.timeout(timeout):
            while not done():
                await asyncio.sleep(0)
                if task.done():
                    task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def positions(reader: ProjectionRunner, source: str) -> list[int]:
    """How far the reader is, by partition."""
    states = reader._feeds[source]._folder.states
    return [states[p].reached for p in sorted(states)]


def has_read(reader: ProjectionRunner, books: Books) -> Callable[[], bool]:
    """Whether it has come to the end of all logs."""

    def done() -> bool:
        return all(positions(reader, s) == [len(log) for log in logs] for s, logs in books.records.items())

    return done
