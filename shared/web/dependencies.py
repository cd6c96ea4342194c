"""What routes are given: one request's commands, a connection to read with, and how fresh what they read is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant

from shared.commands.preconditions import Precondition
from shared.events import positions
from shared.events.errors import BadRequest, PreconditionFailed
from shared.events.event import Event
from shared.events.identity import one_writing
from shared.projections.freshness import Freshness
from shared.projections.read_model import ReadModel
from shared.vault import OwnWords
from shared.web import context
from shared.web.idempotency import KEY
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands

S = TypeVar("S")
E = TypeVar("E", bound=Event)


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
    operation = f"{request.method} {one_writing(_IN_COMMUNITY.sub('', request.scope['path']))}"
    key = f"{operation}\x1f{keys[0]}" if keys else None
    known = context.of(request)
    implied = None if known.condition is None else _implied(request, known.condition)
    # Carried out before, it shows what was so then, of others' words only those that stand now.
    known.words = OwnWords(runtime.vault, again_to=known.caller if known.came_to else None)
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
