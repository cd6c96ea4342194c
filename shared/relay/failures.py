"""What ended a relay's producer: what a new one may get over, and what not."""

from __future__ import annotations

from collections.abc import Iterator

from shared.db import FAILED
from shared.events.errors import Unavailable
from shared.kafka.topics import TopicProblem
from shared.lease import LeaseLost

PASSING = (TopicProblem, Unavailable, *FAILED)
"""What may be over by the next try."""


def passing(error: Exception) -> Exception:
    """The error that a new producer may get over, out of those that ended a session; anything else is raised."""
    errors = list(leaves(error))
    for found in errors:
        if isinstance(found, LeaseLost):
            raise found
    for found in errors:
        if not isinstance(found, PASSING):
            raise found
    return errors[0]


def leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
