"""What is known about one request while it lasts, and what every part of it may add to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import Scope

from shared.commands.preconditions import Precondition

if TYPE_CHECKING:
    from shared.events.identity import Caller
    from shared.log.keys import IdempotencyKey
    from shared.log.port import Position
    from shared.vault import OwnWords
    from shared.web.access.permissions import CallerInCommunity
    from shared.web.runtime import Runtime

KEY = "guildhall"
QUIET = frozenset({"/livez", "/readyz", "/metrics", "/status"})
"""Paths that machines ask for all the time."""
DOCUMENTS = frozenset({"/docs", "/openapi.json"})
"""Paths that show the same to everybody."""


@dataclass(slots=True)
class RequestContext:
    """One per request, made by the outermost middleware. `arrived` is monotonic time."""

    id: str
    arrived: float
    reads: bool = False
    """Whether it is a GET or a HEAD."""
    deadline: asyncio.Timeout | None = None
    arriving: bool = False
    """Whether a body was announced that has not been read to its end."""
    streams: bool = False
    """Whether the route reads the body itself."""
    body: bytes = b""
    """The body, where it does not."""
    key: IdempotencyKey | None = None
    """What the request is known by when it comes again, until its change is written with it."""
    came_to: Mapping[UUID, int] = field(default_factory=dict)
    """Where the streams stood that the request changed when it came before, where it was not answered then."""
    founded: UUID | None = None
    """The community that it acts in, where its path names none."""
    words: OwnWords | None = None
    """What the request has seen of the vault."""
    caller: Caller | None = None
    me: CallerInCommunity | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Headers for the answer, whoever renders it."""
    location: str | None = None
    """Where what was made is found; sent where the request succeeds."""
    tag: str | None = None
    """The entity tag of what the answer shows, without its quotes."""
    condition: Precondition | None = None
    """What the request asks of what it is about, before it is carried out."""
    accept: str | None = None
    """The media types the caller takes; None for any."""
    positions: dict[int, Position] = field(default_factory=dict)
    """Where what this request wrote stands, by partition; becomes `Guildhall-Position`."""
    made: set[UUID] = field(default_factory=set)
    """Ids that were made in this request and that nobody else can know."""
    spent: float = 0.0
    """Seconds of processor time."""
    refused: bool = False
    """Whether most of what was sent had to be refused, whatever the status says."""
    settled: bool = False
    """Whether what the caller asked to wait for has been waited for."""

    def allow(self, seconds: float) -> None:
        """Give the request so much more time, since its caller asked it to wait."""
        if self.deadline is None or self.deadline.expired():
            return
        if (when := self.deadline.when()) is not None:
            self.deadline.reschedule(when + seconds)

    def answer_again(self, came_to: Mapping[UUID, int]) -> None:
        """The request was carried out when it came before: nothing is left of this try but what is to be answered."""
        self.key, self.came_to, self.tag, self.location = None, came_to, None, None
        self.headers.clear()
        self.positions.clear()
        self.made.clear()

    def stream(self) -> None:
        """Lift the deadline: from here on each step has one of its own."""
        if self.deadline is not None and not self.deadline.expired():
            self.deadline.reschedule(None)


def of(connection: HTTPConnection) -> RequestContext:
    return in_scope(connection.scope)


def in_scope(scope: Scope) -> RequestContext:
    return cast("RequestContext", scope[KEY])


def runtime_in(scope: Scope) -> Runtime:
    return cast("Runtime", scope["app"].state.runtime)


def runtime_of(connection: HTTPConnection) -> Runtime:
    """What the service's process is made of."""
    return cast("Runtime", connection.app.state.runtime)
