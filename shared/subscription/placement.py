"""Which partitions of a topic are read, and where: those given at the start, or those that a group assigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from aiokafka import TopicPartition

from shared.subscription.source import BEGINNING, Mark, Marks
from shared.subscription.topic_consumer import TopicConsumer
from shared.subscription.topic_cursor import TopicCursor

_logger = structlog.get_logger(__name__)


class Placement:
    """The partitions of a topic's consumer, each with its cursor.

    With `marks` they are a group's, and `marks` is asked where to read on; else they are those `given`. `waited` are
    the seconds that the consumer was waited for. What is not `genuine` is passed over.
    """

    def __init__(
        self, topic: str, consumer: TopicConsumer, marks: Marks | None, genuine: Callable[[Any], bool]
    ) -> None:
        self.given: dict[int, Mark] = {}
        self.cursors: dict[int, TopicCursor] = {}
        self.waited = 0.0
        self._topic = topic
        self._consumer = consumer
        self._marks = marks
        self._genuine = genuine
        self._assignments = 0
        """Grows whenever the group is shared out anew: marks asked for before that are not used."""

    def begin(self) -> None:
        """There is a new consumer; place what was given."""
        if self._marks is None:
            self._consumer.current.assign([TopicPartition(self._topic, partition) for partition in self.given])
            for partition, mark in self.given.items():
                self._place(partition, mark)

    async def take_over(self) -> None:
        """Place the partitions that the group has just assigned."""
        assert self._marks is not None
        fresh = sorted(tp.partition for tp in self._consumer.current.assignment() if tp.partition not in self.cursors)
        if not fresh:
            return
        assignment = self._assignments
        marks = await self._marks(fresh)
        if assignment == self._assignments:
            for partition in fresh:
                self._place(partition, marks.get(partition, BEGINNING))

    def seek(self, partition: int, mark: Mark) -> None:
        """Read on after this mark."""
        if self._consumer.current is None:
            self.given[partition] = mark
        elif partition in self.cursors:
            self._place(partition, mark)

    def search(self, partition: int, offset: int = 0) -> None:
        """Look for the next position from the topic's beginning."""
        if (cursor := self.cursors.get(partition)) is not None:
            _logger.warning("topic is searched from its beginning", topic=self._topic, partition=partition)
            cursor.restart(offset)
            self.read_on(partition, offset)

    def read_on(self, partition: int, offset: int) -> None:
        """Read the record at this offset next."""
        self._consumer.current.seek(TopicPartition(self._topic, partition), offset)

    def keep(self) -> None:
        """The consumer is given up; the next goes on where this one had come to."""
        if self._marks is None:
            self.given |= {partition: cursor.reached for partition, cursor in self.cursors.items()}
        self.forget()

    def forget(self) -> None:
        """The group is shared out anew."""
        self.cursors.clear()
        self._assignments += 1

    def _place(self, partition: int, mark: Mark) -> None:
        cursor = self.cursors[partition] = TopicCursor(mark, now=self.waited, genuine=self._genuine)
        self.read_on(partition, cursor.next)
