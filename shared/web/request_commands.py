"""One request's commands: what a route decides, where it is written, and what the answer says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID, uuid5
from zlib import crc32

from uuid_utils.compat import uuid7

from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import Basis, StreamDecision, change, creation
from shared.commands.outcome import Outcome
from shared.commands.preconditions import Precondition
from shared.events.decider import Decider
from shared.events.errors import Unauthenticated
from shared.events.event import Event
from shared.log.port import VaultRow
from shared.vault import OwnWords
from shared.web.context import RequestContext

S = TypeVar("S")
E = TypeVar("E", bound=Event)


def quarter_of(at: datetime) -> datetime:
    """The beginning of its quarter of an hour, when nobody is said to have done something.

    Somebody who sees who was here at that moment would know. A quarter of an hour is the same day in every zone.
    """
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class RequestCommands:
    """One request's commands: they act as the caller, in the community of the path, at one moment, `now`.

    Every answered command leaves its position and the stream's version on the response (`Guildhall-Position`,
    `ETag`), a repeated one too.
    """

    commands: Commands
    vault: OwnWords
    request: RequestContext
    key: str | None
    """What the caller tells apart operations by: the operation and its `Idempotency-Key`; None without one."""
    now: datetime
    community: UUID | None = None
    """Another one than the path's."""
    anonymous: bool = False
    implied: Precondition | None = None
    """What the request asks of the first stream that it writes to, where its route does not say which that is."""

    def within(self, community: UUID) -> RequestCommands:
        """The same, acting in another community than the path's; what founding one needs."""
        self.request.founded = community
        return replace(self, community=community)

    def anonymously(self) -> RequestCommands:
        """The same, acting for nobody: what it writes does not say who did it, nor to the second when."""
        return replace(self, anonymous=True, now=quarter_of(self.now))

    @property
    def act(self) -> CommandMetadata:
        """Who acts, where and when."""
        community, member = self._where()
        return CommandMetadata(community, None if self.anonymous else member, self.now, key=self.request.key)

    async def execute(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        *,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
        expect: Precondition | int | None = None,
        there: Callable[[S], bool] | None = None,
    ) -> Outcome[S | None]:
        """As `Commands.execute`; the stream as it came to be where the request was carried out when it came before."""
        return await self._execute_one(StreamDecision(decider, stream, decide, expect, there=there), on, secrets)

    async def create(
        self,
        decider: Decider[S, E],
        stream: UUID,
        event: E,
        refuse: Callable[..., object] | None = None,
        *,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
        below: str,
    ) -> Outcome[S]:
        """Begin a stream, as `creation`; what is made is found `below` that path, under the stream's id."""
        found = await self._execute_one(creation(decider, stream, event, refuse), on, secrets)
        self.created(below, stream)
        return cast("Outcome[S]", found)

    async def change(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        *,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
        expect: Precondition | int | None = None,
        there: Callable[[S], bool] | None = None,
    ) -> Outcome[S]:
        """As `execute`, on what is there, as `change`."""
        step = StreamDecision(decider, stream, change(decider, decide), expect, there=there)
        return cast("Outcome[S]", await self._execute_one(step, on, secrets))

    async def _execute_one(
        self, step: StreamDecision[S, E], on: Sequence[Basis], secrets: Sequence[VaultRow]
    ) -> Outcome[S | None]:
        new = step.stream in self.request.made
        self.request.made.discard(step.stream)  # from now on it may have events
        step = replace(step, new=new, expect=self.implied if step.expect is None else step.expect)
        (outcome,) = await self._execute([step], on, secrets)
        return cast("Outcome[S | None]", outcome)

    async def execute_together(
        self, steps: Sequence[StreamDecision[Any, Any]], *, on: Sequence[Basis] = (), secrets: Sequence[VaultRow] = ()
    ) -> list[Outcome[Any]]:
        """As `Commands.execute_together`; the ETag is the first step's."""
        if self.implied is not None and all(step.expect is None for step in steps):
            steps = [replace(steps[0], expect=self.implied), *steps[1:]]
        return await self._execute(steps, on, secrets)

    async def _execute(
        self, steps: Sequence[StreamDecision[Any, Any]], on: Sequence[Basis], secrets: Sequence[VaultRow]
    ) -> list[Outcome[Any]]:
        came_to = self.request.came_to
        if any(step.stream in came_to for step in steps):
            at = self._where()[0]
            outcomes = [
                await self.commands.as_of(step.decider, step.stream, came_to.get(step.stream, 0), community=at)
                for step in steps
            ]
        else:
            outcomes = await self.commands.execute_together(steps, act=self.act, on=on, secrets=secrets)
        self._answered(outcomes, secrets)
        return outcomes

    async def load(self, decider: Decider[S, E], stream: UUID) -> Outcome[S | None]:
        """A stream as it is now, begun or not. A route that shows it passes its version to `tag`."""
        return await self.commands.load(decider, stream, community=self._where()[0])

    async def get(self, decider: Decider[S, E], stream: UUID) -> Outcome[S]:
        """As `load`, of what is there. Raises `NotFound` where the stream has not begun."""
        found = await self.load(decider, stream)
        decider.existing(found.state)
        return cast("Outcome[S]", found)

    def stream_of_now(self, stream: UUID) -> UUID:
        """A stream whose id follows from `now`: where the request was carried out before, the one of that moment."""
        return next(iter(self.request.came_to), stream)

    def tag(self, version: int, *beside: object) -> None:
        """Send this version as the answer's ETag.

        `beside` is what the answer shows that the version does not tell, such as counts: the tag of an answer that may
        be kept stands for all of it. That of a change says which version came of it.
        """
        also = f"-{crc32(repr(beside).encode()):08x}" if self.request.reads and any(beside) else ""
        self.request.tag = f"{version}{also}"

    def created(self, *path: object) -> None:
        """Send where what was made is found, as the answer's `Location`; `path` begins below the community's."""
        self.request.location = "/".join(["/v1/communities", *map(str, (self._where()[0], *path))])

    def new_id(self, veil: Callable[[UUID], UUID] | None = None) -> UUID:
        """The id of what a POST creates: the same at every repetition with the same `Idempotency-Key`.

        `veil` makes the id of one from which nobody is to learn who made it.
        """
        made = uuid7() if self.key is None else uuid5(self._where()[1], self.key)
        if veil is not None:
            made = veil(made)
        if self.key is None:
            self.request.made.add(made)
        return made

    def _where(self) -> tuple[UUID, UUID]:
        request = self.request
        if self.community is None and request.me is not None:
            return request.me.community.id, request.me.id
        if self.community is None or request.caller is None:
            raise Unauthenticated("This operation acts in no community.")
        return self.community, request.caller.member_in(self.community)

    def _answered(self, outcomes: Sequence[Outcome[Any]], secrets: Sequence[VaultRow]) -> None:
        self.tag(outcomes[0].version)
        if any(outcome.events for outcome in outcomes):
            self.vault.wrote(secrets)
            self.request.key = None  # it is written
        for outcome in outcomes:
            where = outcome.position
            if where is not None:
                known = self.request.positions.get(where.partition)
                self.request.positions[where.partition] = max(where, known) if known else where
