"""A record that is the log's carries a signature: a keyed hash of its bytes, under a key of its topic and partition.

So one that somebody else wrote, changed, or copied to another partition or topic is told from the log's own without
asking anybody. One of ours that is sent once more is a repeat by its position, as ever.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from shared.kafka.topics import topic_of
from shared.settings import Settings

HEADER = "guildhall-signature"

Headers = Sequence[tuple[str, bytes]]


class Signatures:
    """Signs and checks the records of one topic, by default a service's events.

    Without a secret everything is taken for genuine.
    """

    def __init__(self, settings: Settings, service: str, topic: str | None = None) -> None:
        name = topic_of(service) if topic is None else topic
        places = [f"{name}/{partition}".encode() for partition in range(settings.partitions)]
        self._keys = [[_hash(secret, place) for secret in settings.record_secrets] for place in places]

    def sign(self, partition: int, value: bytes) -> Headers:
        """The headers of a record."""
        keys = self._keys[partition]
        return [(HEADER, _hash(keys[0], value))] if keys else []

    def genuine(self, partition: int, value: bytes | None, headers: Headers) -> bool:
        """Whether the log's relay wrote this record to this partition."""
        keys = self._keys[partition]
        if not keys:
            return True
        signed = next((given for name, given in headers if name == HEADER), None)
        if value is None or signed is None:
            return False
        return any(hmac.compare_digest(signed, _hash(key, value)) for key in keys)

    def genuine_record(self, record: Any) -> bool:
        """The same of a record as aiokafka hands it out."""
        return self.genuine(record.partition, record.value, record.headers)


def _hash(key: bytes, value: bytes) -> bytes:
    return hmac.digest(key, value, "sha256")
