"""What routes are given: one request's commands, a connection to read with, and how fresh what they read is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID, uuid5
from zlib import crc32

from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant
from uuid_utils.compat import uuid7

from shared.commands.commands import Basis, CommandMetadata, Commands, Outcome, StreamDecision
from shared.commands.preconditions import Precondition
from shared.events import positions
from shared.events.decider import Decider
from shared.events.errors import BadRequest, PreconditionFailed, Unauthenticated
from shared.events.event import Event
from shared.log.port import VaultRow
from shared.projections.freshness import Freshness
from shared.projections.read_model import ReadModel
from shared.vault import OwnWords
from shared.web import context
from shared.web.context import RequestContext
from shared.web.idempotency import KEY
from shared.web.queries import Queries

S = TypeVar("S")
E = TypeVar("E", bound=Event)


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
        return replace(self, community=community)

    def anonymously(self) -> RequestCommands:
        """The same, acting for nobody: what it writes does not say who did it, nor to the second when.

        Somebody who sees who was here at that moment would know. A quarter of an hour is the same day in every zone.
        """
        quarter = self.now.replace(minute=self.now.minute - self.now.minute % 15, second=0, microsecond=0)
        return replace(self, anonymous=True, now=quarter)

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
    ) -> Outcome[S]:
        """As `Commands.execute`; the stream as it came to be where the request was carried out when it came before."""
        new = stream in self.request.made
        self.request.made.discard(stream)  # from now on it may have events
        if expect is None:
            expect = self.implied
        step = StreamDecision(decider, stream, decide, expect, new, there)
        (outcome,) = await self._execute([step], on, secrets)
        return cast("Outcome[S]", outcome)

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

    async def load(self, decider: Decider[S, E], stream: UUID) -> Outcome[S]:
        """A stream as it is now. A route that shows it passes its version to `tag`."""
        return await self.commands.load(decider, stream, community=self._where()[0])

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
        location = "/".join(["/v1/communities", *map(str, (self._where()[0], *path))])
        self.request.headers.append((b"location", location.encode("ascii")))

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


_IN_COMMUNITY = re.compile(r"^/v1/communities/[^/]+")


async def request_commands(request: Request) -> RequestCommands:
    runtime = context.runtime_of(request)
    keys = request.headers.getlist("idempotency-key")
    if keys and (len(keys) > 1 or not KEY.fullmatch(keys[0])):
        raise BadRequest(
            "`Idempotency-Key` is one header of 1 to 255 printable ASCII characters.", header="Idempotency-Key"
        )
    # The same key for another operation is another key; slug or id of the community make no difference, nor how an id
    # is written.
    operation = f"{request.method} {_IN_COMMUNITY.sub('', request.url.path).lower()}"
    key = f"{operation}\x1f{keys[0]}" if keys else None
    known = context.of(request)
    implied = None if known.condition is None else _implied(request, known.condition)
    known.words = OwnWords(runtime.vault)
    return RequestCommands(runtime.commands, known.words, known, key, runtime.clock(), implied=implied)


def _implied(request: Request, condition: Precondition) -> Precondition | None:
    """What is asked of what a route writes to, where the route does not take it itself; a POST then adds to a list."""
    if request.method == "GET" or any(
        inner.call is if_match for inner in request.scope["route"].dependant.dependencies
    ):
        return None
    if request.method == "POST":
        add_to_list(request)
        return None
    return condition


def add_to_list(request: Request) -> None:
    """Raise what the request's preconditions say of a list that is added to: it is always there, without a tag."""
    condition = context.of(request).condition
    if condition is not None and (header := condition.broken_for_list()) is not None:
        raise PreconditionFailed(
            f"`{header}` rules out that this is there, or names a tag; a list is there and has none.", header=header
        )


Commanding = Annotated[RequestCommands, Depends(request_commands)]


WAIT, LONGEST_WAIT = 2.0, 10.0
"""Seconds a read waits for its caller's own write: where it does not say, and at most."""
_WAIT = re.compile(r"\s*wait\s*=\s*(\d{1,4})\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Fresh:
    """A dependency: how far views are, measured before they are read, after the wait that the caller asked for."""

    views: tuple[ReadModel, ...]

    async def __call__(
        self,
        request: Request,
        after: Annotated[
            str | None,
            Header(
                alias="Guildhall-After",
                description="`Guildhall-Position` of a write: the answer shows it, or is 503 when that takes too long.",
                examples=[positions.EXAMPLE],
            ),
        ] = None,
        prefer: Annotated[
            str | None,
            Header(description="`wait=N`: wait up to N seconds, at most 10; without it 2.", examples=["wait=5"]),
        ] = None,
    ) -> Freshness:
        await self.settle(request)
        return await context.runtime_of(request).watch.freshness(*self.views)

    async def settle(self, request: Request) -> None:
        """Wait for `Guildhall-After`, once a request."""
        known, runtime = context.of(request), context.runtime_of(request)
        values = request.headers.getlist("guildhall-after")
        if values and not known.settled:
            known.settled = True
            wanted = runtime.seal.open(values, header="Guildhall-After", partitions=runtime.settings.partitions)
            wait = _wait(request.headers.getlist("prefer"))
            known.allow(wait)
            await runtime.watch.wait_for(self.views, wanted, wait, caller=known.caller)


def _wait(preferences: Sequence[str]) -> float:
    """Seconds, from `Prefer` (RFC 7240); preferences that are not understood are ignored, as it demands."""
    found = [_WAIT.fullmatch(part) for value in preferences for part in value.split(",")]
    return next((min(float(match[1]), LONGEST_WAIT) for match in found if match), WAIT)


def fresh(*views: ReadModel) -> Any:
    """`Annotated[Freshness, fresh(BOARD)]`: how far those views are, after waiting for what the caller asked for."""
    return Depends(Fresh(views))


async def reading(request: Request) -> Queries:
    """What reads; behind everything that the caller asked to wait for."""
    for dependency in _fresh_of(request.scope["route"].dependant):
        await dependency.settle(request)
    return Queries(context.runtime_of(request).engine)


def _fresh_of(dependant: Dependant) -> Iterator[Fresh]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Fresh):
            yield inner.call


Db = Annotated[Queries, Depends(reading)]


async def if_match(
    request: Request,
    value: Annotated[
        str | None,
        Header(alias="If-Match", description="The ETag of what the caller has seen, or several.", examples=['"3"']),
    ] = None,
) -> Precondition | None:
    """What the request asks of the stream that the route changes: `If-Match`, and `If-None-Match` too."""
    return context.of(request).condition


IfMatch = Annotated[Precondition | None, Depends(if_match)]
