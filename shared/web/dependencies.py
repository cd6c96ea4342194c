"""What routes are given: one request's commands, and a connection to read with."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from shared.commands.preconditions import Precondition
from shared.events.errors import BadRequest, PreconditionFailed
from shared.events.event import Event
from shared.events.identity import one_writing
from shared.vault import OwnWords
from shared.web import context
from shared.web.after import fresh as fresh
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


async def reading(request: Request) -> Queries:
    """What reads."""
    return Queries(context.runtime_of(request).engine)


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
