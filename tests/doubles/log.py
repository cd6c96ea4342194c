"""The log in memory, for unit tests; it keeps every rule of the real one and passes the same conformance suite."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from shared.events.claim import Claim
from shared.events.errors import AlreadyMade, Erased
from shared.events.event import Recorded
from shared.log.keys import versions_after
from shared.log.port import Append, ClaimTaken, Position, VaultRow, VersionConflict, partition_of


@dataclass
class MemoryLog:
    """Implements `Log`; `vault` holds the secrets by community and reference, `superseded` those that stand no more."""

    service: str
    partitions: int = 12
    agreed: bool = True
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    rows: list[list[Recorded]] = field(init=False)
    streams: dict[UUID, list[Recorded]] = field(default_factory=dict)
    vault: dict[tuple[UUID, UUID], VaultRow] = field(default_factory=dict)
    superseded: set[tuple[UUID, UUID]] = field(default_factory=set)
    keys: dict[UUID, dict[UUID, int]] = field(default_factory=dict)
    """By the id of an idempotency key the versions to which its append came."""
    erased: set[tuple[UUID, UUID | None]] = field(default_factory=set)
    """By community, whose words are refused."""
    claims: set[tuple[UUID, Claim, UUID]] = field(default_factory=set)
    """Communities, claims, and the streams that hold them."""

    def __post_init__(self) -> None:
        self.rows = [[] for _ in range(self.partitions)]

    async def append(self, request: Append) -> list[Position]:
        """As `Log.append`; it lets other tasks run first, as a real store would."""
        await asyncio.sleep(0)
        if (written := self._written(request)) is not None:
            return written
        for write in request.writes:
            if len(self.streams.get(write.stream, ())) != write.expected:
                raise VersionConflict(write.stream)
        for guard in request.guards:
            if len(self.streams.get(guard.stream, ())) != guard.version:
                raise VersionConflict(guard.stream)
        if not self.erased.isdisjoint((secret.community, secret.subject) for secret in request.secrets):
            raise Erased
        for stream, claim in request.taken:
            for other in self._holders_of(request.community, claim):
                if other != stream and (other, claim) not in request.released:
                    raise ClaimTaken(claim)
        if request.key is not None:
            if request.key.id in self.keys:
                raise AlreadyMade
            self.keys[request.key.id] = versions_after(request)
        self.claims -= {(request.community, claim, stream) for stream, claim in request.released}
        self.claims |= {(request.community, claim, stream) for stream, claim in request.taken}
        for secret in request.secrets:
            self.vault.setdefault((secret.community, secret.ref), secret)
        self.superseded.update((request.community, ref) for ref in request.superseded)
        self.superseded.difference_update((request.community, ref) for ref in request.again)
        return [
            self._place(request, write.stream, write.expected + index, event.id, event.type, event.data)
            for write in request.writes
            for index, event in enumerate(write.events, 1)
        ]

    def _written(self, request: Append) -> list[Position] | None:
        """Where an earlier try of the same request stands, if it was written."""
        first = request.writes[0]
        stream = self.streams.get(first.stream, [])
        if len(stream) <= first.expected or stream[first.expected].id != first.events[0].id:
            return None
        return [
            Position(record.partition, record.position)
            for write in request.writes
            for record in self.streams[write.stream][write.expected : write.expected + len(write.events)]
        ]

    def _place(self, request: Append, stream: UUID, version: int, event_id: UUID, name: str, data: bytes) -> Position:
        partition = partition_of(stream, self.partitions)
        record = Recorded(
            service=self.service,
            partition=partition,
            position=len(self.rows[partition]) + 1,
            stream=stream,
            version=version,
            type=name,
            id=event_id,
            community=request.community,
            actor=request.actor,
            occurred_at=request.occurred_at,
            recorded_at=self.clock(),
            causation=request.causation,
            data=data,
            traceparent=request.traceparent,
            imported_by=request.imported_by,
        )
        self.rows[partition].append(record)
        self.streams.setdefault(stream, []).append(record)
        return Position(partition, record.position)

    async def load(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        await asyncio.sleep(0)
        return self.streams.get(stream, [])[after:]

    async def follow(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        await asyncio.sleep(0)
        return self.rows[partition][after : after + limit]

    async def holders_of(self, community: UUID, claim: Claim) -> Sequence[UUID]:
        await asyncio.sleep(0)
        return self._holders_of(community, claim)

    def _holders_of(self, community: UUID, claim: Claim) -> Sequence[UUID]:
        return sorted(stream for where, held, stream in self.claims if (where, held) == (community, claim))

    async def heads(self) -> list[int]:
        await asyncio.sleep(0)
        return [len(rows) for rows in self.rows]
