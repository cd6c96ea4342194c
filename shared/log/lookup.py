"""What became of an append that is in doubt, or that PostgreSQL refused: it is looked up before it is answered."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import structlog

from shared.db import BROKEN, Driver
from shared.events.errors import AlreadyMade, Erased, Unavailable
from shared.log.port import Append, Position, VersionConflict
from shared.log.queue import Pending
from shared.log.retry import NotAgreed
from shared.log.sql import HEADS, NotTaken

VERSIONS, KEYS = "uq_log_stream_version", "pk_idempotency_key"
"""The constraints that decide who was first; any other that is violated means a log that was restored in parts."""

OF_ERASED = "GHE01"
"""What the vault's trigger says to words about somebody who was erased (`replicas/erasure.py`)."""

LOST = (*BROKEN, asyncpg.OperatorInterventionError, asyncpg.ReadOnlySQLTransactionError)
"""What was under way may or may not have been committed, or another connection may lead to a server that takes it."""

WRITTEN = "select id, partition, position from log where stream = $1 and version > $2 order by version limit $3"
USED = "select id from idempotency_key where id = any($1::uuid[])"

_logger = structlog.get_logger(__name__)


async def is_as_made(connection: Driver, service: str, partitions: int, batch: Sequence[Pending]) -> bool:
    """Whether the log has these partitions. With another number a stream's events would be torn apart for good."""
    made = len(await connection.fetch(HEADS))
    if made != partitions:
        _logger.error("log was made with other partitions", service=service, partitions=made)
        for pending in batch:
            pending.fail(
                Unavailable(
                    f"The log of {service} was made with {made} partitions and this process was told {partitions}. "
                    f"Nothing is written. Set GUILDHALL_PARTITIONS={made}."
                )
            )
    return made == partitions


async def find(connection: Driver, request: Append) -> list[Position] | None:
    """Where an earlier try of this request stands, or None when it was never written."""
    positions: list[Position] = []
    for write in request.writes:
        rows = await connection.fetch(WRITTEN, write.stream, write.expected, len(write.events))
        if [row["id"] for row in rows] != [event.id for event in write.events]:
            return None
        positions += [Position(row["partition"], row["position"]) for row in rows]
    return positions


async def still_open(connection: Driver, batch: Sequence[Pending]) -> list[Pending]:
    """Those that are still to be written: of a try that ended without our knowing how, some may have been."""
    fresh = []
    for pending in batch:
        if pending.doubtful and (found := await find(connection, pending.request)):
            pending.resolve(found)
        else:
            fresh.append(pending)
    return fresh


async def with_used_keys(
    connection: Driver, batch: Sequence[Pending], error: NotTaken | asyncpg.PostgresError
) -> list[Pending]:
    """Those by whose keys PostgreSQL refused a batch; the others may go together."""
    if not isinstance(error, asyncpg.UniqueViolationError) or error.constraint_name != KEYS:
        return []
    keyed = {pending.request.key.id: pending for pending in batch if pending.request.key is not None}
    return [keyed[row["id"]] for row in await connection.fetch(USED, list(keyed))]


async def refuse(connection: Driver, pending: Pending, error: NotTaken | asyncpg.PostgresError) -> None:
    """Answer a request that was tried alone. Raises `NotAgreed` where it is not the request's fault."""
    if isinstance(error, NotTaken) and not all(row["agreed"] for row in await connection.fetch(HEADS)):
        raise NotAgreed
    if not isinstance(error, (NotTaken, asyncpg.UniqueViolationError)):
        # An earlier try may have been written before the erasure; it is found then, and its words are gone by now.
        if getattr(error, "sqlstate", None) != OF_ERASED:
            pending.fail(error)
        elif found := await find(connection, pending.request):
            pending.resolve(found)
        else:
            pending.fail(Erased())
    elif found := await find(connection, pending.request):
        pending.resolve(found)
    elif isinstance(error, NotTaken) or error.constraint_name == VERSIONS:
        pending.fail(VersionConflict(str(pending.request.writes[0].stream)))
    elif error.constraint_name == KEYS:
        pending.fail(AlreadyMade())
    else:
        _logger.error("positions are given out twice", constraint=error.constraint_name, detail=str(error))
        pending.fail(Unavailable("The log is not as it should be: nothing is written. Run `guildhall doctor`."))


def give_up(batch: Sequence[Pending], error: asyncpg.PostgresError) -> None:
    """PostgreSQL has given up on these; nothing was written."""
    _logger.warning("log held up", error=type(error).__name__, requests=len(batch))
    for pending in batch:
        pending.fail(Unavailable("The log is held up. Try again shortly.", retry_after=1))
