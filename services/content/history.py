"""A stream as its community may see it: the state, its version, and when things happened, which no decision knows.

An id alone must not reach into another community than the path's, so every route begins here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Request

from services.content import events
from shared import context
from shared.decider import Decider
from shared.errors import NotFound
from shared.event import Catalogue, Event, Recorded, wire_name
from shared.log import Log

S = TypeVar("S")
E = TypeVar("E", bound=Event)

CATALOGUE = Catalogue.of(events)


@dataclass(frozen=True, slots=True)
class History(Generic[S]):
    """What became of one thing; `records` are all its events, at least one."""

    state: S
    records: Sequence[Recorded]

    @property
    def version(self) -> int:
        return self.records[-1].version

    @property
    def began_at(self) -> datetime:
        """When its first event happened."""
        return self.records[0].occurred_at

    def last(self, event: type[Event]) -> datetime | None:
        """When the last of those events happened; None where none did."""
        return last(self.records, event)


def last(records: Sequence[Recorded], event: type[Event]) -> datetime | None:
    """When the last of those events happened; None where none did."""
    name = wire_name(event)
    return next((record.occurred_at for record in reversed(records) if record.type == name), None)


class Histories:
    """Reads streams from the service's own log, each in one query, never from memory."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def read(self, community: UUID, decider: Decider[S, E], stream: UUID) -> History[S]:
        """The stream as it is now. Raises `NotFound` where that community has none of this kind under this id."""
        records = await self.log.load(stream)
        if not records or records[0].community != community or records[0].type not in decider.types:
            raise NotFound(f"There is no such {decider.name}.")
        # The decider's own types are in the catalogue, so what is decoded is what it evolves by.
        decoded: list[E] = [CATALOGUE.decode(record.type, record.data) for record in records]  # type: ignore[misc]
        return History(decider.fold(decoded), records)


async def histories(request: Request) -> Histories:
    log = context.runtime_of(request).log
    assert log is not None, "the content service owns a log"
    return Histories(log)


Past = Annotated[Histories, Depends(histories)]
