"""What a topic's reader says of what it found: positions that are missing, records that are not the log's."""

from __future__ import annotations

import structlog
from prometheus_client import Counter, Gauge

from shared.kafka.topics import topic_of
from shared.subscription.topic_cursor import TopicCursor

HOLE = Gauge("guildhall_stream_hole", "Position that the topic should have next and has not.", ["service", "partition"])
FOREIGN = Counter("guildhall_stream_foreign", "Records found on a topic that its log did not write.", ["service"])

_logger = structlog.get_logger(__name__)


def report(service: str, partition: int, cursor: TopicCursor, hole_before: int | None) -> None:
    """What the last records of a place came to."""
    topic = topic_of(service)
    if cursor.foreign:
        FOREIGN.labels(service).inc(len(cursor.foreign))
        _logger.error(
            "record is not the log's",
            topic=topic,
            partition=partition,
            offset=cursor.foreign[0],
            records=len(cursor.foreign),
        )
    if cursor.hole != hole_before:
        HOLE.labels(service, partition).set(cursor.hole or 0)
        if cursor.hole is None:
            _logger.info("missing position was found", topic=topic, partition=partition)
        else:
            _logger.error("position is missing", topic=topic, partition=partition, position=cursor.hole)
