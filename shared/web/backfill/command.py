"""A backfill is what REST does, a line each: the same decisions, at the time it happened, as who did it then.

`POST …/<service>/backfill` takes NDJSON and answers NDJSON, line by line and in order, while it still reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar, cast
from uuid import UUID

from pydantic import Field

from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import Basis, change
from shared.commands.outcome import Outcome
from shared.events.decider import Decider
from shared.events.errors import Problem
from shared.events.event import Event
from shared.events.identity import derived_id
from shared.log.port import VaultRow
from shared.replicas.standing import Community
from shared.vault import Vault
from shared.web.access.permissions import CallerInCommunity
from shared.web.backfill.optional_parts import LeftOut
from shared.web.fields import Answer, Body, Moment, key
from shared.web.runtime import Runtime

S = TypeVar("S")
E = TypeVar("E", bound=Event)

Source = Annotated[str, key(200)]
"""The id a thing has where it comes from, such as `stackexchange:cooking:post:17`."""


class Line(Body):
    """What every line has; a command's own model adds its arguments.

    `subject` is who acted, as the issuer of the caller's token names them; null for nobody or somebody unknown.
    """

    command: str
    source: Source
    subject: Annotated[str, key(255)] | None = Field(None, description="Who acted; null for nobody known.")
    occurred_at: Moment


class DatedLine(Line):
    """A line about words that may have been edited since. Known already, with others than stand, it is their edit."""

    edited_at: Moment | None = Field(
        None, description="When the words were edited last; without it, what differs was edited just now."
    )

    @property
    def edited(self) -> datetime | None:
        """The same in UTC; a line whose times can be has one."""
        return self.edited_at and self.edited_at.astimezone(UTC)


L = TypeVar("L", bound=Line)


@dataclass(frozen=True, slots=True)
class LineContext:
    """What a command is given besides its line. `me` is who brings it in, as they stand when it is decided; `member`
    is the acting subject's member id, None for nobody.

    `forbidden` says that the subject might not do it then, `read_only` that nobody may do anything now. Both are said
    where something would be written: what is known already is repeated, whatever has changed since.
    """

    runtime: Runtime
    me: CallerInCommunity
    member: UUID | None
    act: CommandMetadata
    left_out: LeftOut = field(default_factory=LeftOut)
    forbidden: Problem | None = None
    read_only: Problem | None = None

    @property
    def community(self) -> Community:
        return self.me.community

    @property
    def vault(self) -> Vault:
        return self.runtime.vault

    @property
    def commands(self) -> Commands:
        return self.runtime.commands

    def stays(self, found: Outcome[Any], *kinds: type[Event], part: str = "") -> bool:
        """Whether `part` of it was changed here, by one of those events: no line changes it then, and the answer says
        so. What members did themselves is nobody's to undo in their names.
        """
        if found.here.isdisjoint(kinds):
            return False
        self.keep(part)
        return True

    def keep(self, part: str = "") -> None:
        """Say that `part` of it stays as members left it here."""
        self.left_out.add(part, "It was changed here since, and stays as it is.")

    def theirs(self, found: Outcome[Any]) -> bool:
        """Whether what is known was brought in as theirs, so that a line may be told it is repeated, and nothing else.

        Raises what would be said if nothing were known, where it was not: an answer that tells what a subject did here
        themselves, and leaves no mark of the question, would tell it of everybody.
        """
        if self.member is None or found.brought_in_as(self.member):
            return True
        if refusal := self.read_only or self.forbidden:
            raise refusal
        return False

    def id(self, kind: str, source: str) -> UUID:
        """The id of what came from there; the same at every repetition."""
        return derived_id("backfill", self.community.id, kind, source)

    async def execute(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        *,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
    ) -> Outcome[S | None]:
        """As `Commands.execute`, acting as the line's subject at the line's time."""
        permitted = _unless(self.read_only or self.forbidden, decide)
        return await self.commands.execute(decider, stream, permitted, act=self.act, on=on, secrets=secrets)

    async def create(
        self, decider: Decider[S, E], stream: UUID, event: E, *, secrets: Sequence[VaultRow] = ()
    ) -> Outcome[S]:
        """Begin a stream that was looked for and is not there. Where somebody else has just begun it, that was a
        repetition of this line.
        """
        begin = _unless(self.read_only or self.forbidden, lambda state: [event] if state is None else [])
        begun = await self.commands.execute(decider, stream, begin, act=self.act, secrets=secrets, new=True)
        return cast("Outcome[S]", begun)

    async def change(
        self, decider: Decider[S, E], stream: UUID, decide: Callable[[S], list[E]], *, secrets: Sequence[VaultRow] = ()
    ) -> Outcome[S]:
        """As `execute`, on what is there. Raises `NotFound` where there is nothing."""
        permitted = change(decider, _unless(self.read_only or self.forbidden, decide))
        return cast(
            "Outcome[S]", await self.commands.execute(decider, stream, permitted, act=self.act, secrets=secrets)
        )

    async def edit(
        self,
        decider: Decider[S, E],
        stream: UUID,
        decide: Callable[..., list[E]],
        at: datetime | None,
        by: UUID | None,
        *,
        on: Sequence[Basis] = (),
        secrets: Sequence[VaultRow] = (),
    ) -> Outcome[S]:
        """As `execute`, on what is there, at the time of an edit (None: now), as who wrote it, whoever the line names:
        who edits needs to have been no member then, since they may have left.
        """
        act = replace(self.act, actor=by, occurred_at=at or self.runtime.clock())
        permitted = change(decider, _unless(self.read_only, decide))
        edited = await self.commands.execute(decider, stream, permitted, act=act, on=on, secrets=secrets)
        return cast("Outcome[S]", edited)

    async def load(self, decider: Decider[S, E], stream: UUID) -> Outcome[S | None]:
        """The stream as it is now."""
        return await self.commands.load(decider, stream, community=self.community.id)

    async def find(self, decider: Decider[S, E], stream: UUID) -> Outcome[S] | None:
        """The same; None where it has not begun."""
        found = await self.load(decider, stream)
        return None if found.state is None else cast("Outcome[S]", found)

    async def get(self, decider: Decider[S, E], stream: UUID) -> Outcome[S]:
        """The same of what is there. Raises `NotFound`, which an earlier line that is still under way may heal."""
        found = await self.load(decider, stream)
        decider.existing(found.state)
        return cast("Outcome[S]", found)

    def by_then(self, ended: datetime | None) -> datetime | None:
        """When something ended, where it had by the line's time; None where it had not. What became of it since is no
        reason to refuse the line.
        """
        return ended if ended is not None and ended <= self.act.occurred_at else None


def _unless(refusal: Problem | None, decide: Callable[..., list[E]]) -> Callable[..., list[E]]:
    """The decision, which raises the refusal where it would write something."""
    if refusal is None:
        return decide

    def permitted(*states: Any) -> list[E]:
        if events := decide(*states):
            raise refusal
        return events

    return permitted


@dataclass(frozen=True)
class BackfillCommand(Generic[L]):
    """A command that lines may hold.

    `key(context, line)` is the stream it writes to: lines with the same one run in their order, others side by side,
    and the answer gives it as `id`. `run(context, line)` returns what `execute` or `execute_together` returned.
    `members_only` is whether the subject, where there is one, must have been a member; what makes members says no.
    `edits` are the events by which a known line changes what stands. `listed(line)` is said of what is listed by its
    time: in which list, so that lines of one instant keep their order there.
    """

    name: str
    model: type[L]
    key: Callable[[LineContext, L], UUID]
    run: Callable[[LineContext, L], Awaitable[Outcome[Any] | Sequence[Outcome[Any]]]]
    members_only: bool = True
    edits: tuple[type[Event], ...] = ()
    listed: Callable[[L], Hashable] | None = None

    def status(self, events: Sequence[Event]) -> str:
        """What became of a line that wrote those events."""
        if not events:
            return "repeated"
        return "edited" if isinstance(events[0], self.edits) else "applied"

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.lower():
            raise ValueError(f"{self.name!r} is no name for a backfill command")


class LeftOutPart(Answer):
    """A part of a line that was left out because it does not fit."""

    pointer: str = Field(description="Which (RFC 6901).")
    detail: str


class LineAnswer(Answer):
    """What became of a line. `id` is what it made or changed, `member` who acted, unless it was rejected; where it was
    repeated, only of what was brought in as theirs.
    """

    line: int = Field(description="Number of the line in the request, from 1.")
    source: str | None
    status: Literal["applied", "edited", "repeated", "rejected"]
    id: UUID | None = None
    member: UUID | None = None
    left_out: list[LeftOutPart] | None = Field(None, description="What of it was left out; absent where all fits.")
    problem: dict[str, Any] | None = Field(None, description="Why it was rejected (RFC 9457).")
