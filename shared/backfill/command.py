"""A backfill is what REST does, a line each: the same decisions, at the time it happened, as who did it then.

`POST …/<service>/backfill` takes NDJSON and answers NDJSON, line by line and in order, while it still reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from shared.access.permissions import Community
from shared.commands import Act, Commands, Outcome, Step
from shared.decider import Decider
from shared.event import Event
from shared.http.words import Answer, Body, words
from shared.identity import Caller, derived_id
from shared.log.port import Secret
from shared.runtime import Runtime
from shared.vault import Vault

S = TypeVar("S")
E = TypeVar("E", bound=Event)
F = TypeVar("F", bound=Event)

Source = Annotated[str, words(200)]
"""The id a thing has where it comes from, such as `stackexchange:cooking:post:17`."""


def _as_text(value: object) -> object:
    """A number would be taken for seconds or milliseconds, whichever makes it look like a time of today."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and ":" in value):
        raise PydanticCustomError("time_type", "The time is a text as RFC 3339 has it.")
    return value


class Line(Body):
    """What every line has; a command's own model adds its arguments.

    `subject` is who acted, as the issuer of the caller's token names them; null for nobody or somebody unknown.
    """

    command: str
    source: Source
    subject: Annotated[str, words(255)] | None = Field(None, description="Who acted; null for nobody known.")
    occurred_at: Annotated[AwareDatetime, BeforeValidator(_as_text)]


L = TypeVar("L", bound=Line)


@dataclass(frozen=True, slots=True)
class LineContext:
    """What a command is given besides its line. `member` is the acting subject's member id, None for nobody."""

    runtime: Runtime
    caller: Caller
    community: Community
    member: UUID | None
    act: Act

    @property
    def vault(self) -> Vault:
        return self.runtime.vault

    @property
    def commands(self) -> Commands:
        return self.runtime.commands

    def id(self, kind: str, source: str) -> UUID:
        """The id of what came from there; the same at every repetition."""
        return derived_id("backfill", self.community.id, kind, source)

    async def execute(
        self, decider: Decider[S, E], stream: UUID, decide: Callable[[S], list[E]], *, secrets: Sequence[Secret] = ()
    ) -> Outcome[S]:
        """As `Commands.execute`, acting as the line's subject at the line's time."""
        return await self.commands.execute(decider, stream, decide, act=self.act, secrets=secrets)

    async def execute_together(
        self, steps: Sequence[Step[Any, Any]], *, secrets: Sequence[Secret] = ()
    ) -> list[Outcome[Any]]:
        return await self.commands.execute_together(steps, act=self.act, secrets=secrets)

    async def happened(self, stream: UUID, kind: type[F]) -> list[F]:
        """As `Commands.happened_at`, at the line's time."""
        return await self.commands.happened_at(stream, kind, self.act.occurred_at)

    async def load(self, decider: Decider[S, E], stream: UUID) -> Outcome[S]:
        return await self.commands.load(decider, stream, community=self.community.id)


@dataclass(frozen=True)
class BackfillCommand(Generic[L]):
    """A command that lines may hold.

    `key(context, line)` is the stream it writes to: lines with the same one run in their order, others side by side,
    and the answer gives it as `id`. `run(context, line)` returns what `execute` or `execute_together` returned.
    `members_only` is whether the subject, where there is one, must be a member; what makes members says no.
    """

    name: str
    model: type[L]
    key: Callable[[LineContext, L], UUID]
    run: Callable[[LineContext, L], Awaitable[Outcome[Any] | Sequence[Outcome[Any]]]]
    members_only: bool = True

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.lower():
            raise ValueError(f"{self.name!r} is no name for a backfill command")


class LineAnswer(Answer):
    """What became of a line. `id` is what it made or changed, `member` who acted."""

    line: int = Field(description="Number of the line in the request, from 1.")
    source: str | None
    status: Literal["applied", "repeated", "rejected"]
    id: UUID | None = None
    member: UUID | None = None
    problem: dict[str, Any] | None = Field(None, description="Why it was rejected (RFC 9457).")
