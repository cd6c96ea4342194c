"""Decides the lines of one backfill: those with one key in their order, the others side by side.

A line that seems refused only because an earlier one was still under way is decided again after that one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from pydantic import ValidationError

from shared.commands.commands import CommandMetadata
from shared.commands.outcome import Outcome
from shared.events.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, Problem, TooLarge, Unauthenticated
from shared.events.identity import member_id
from shared.replicas.standing import Standing
from shared.web.access.permissions import CallerInCommunity
from shared.web.backfill.command import BackfillCommand, DatedLine, L, Line, LineContext
from shared.web.backfill.instants import Instants
from shared.web.backfill.optional_parts import LeftOut
from shared.web.bodies import check_json
from shared.web.problems import Violations, as_problem
from shared.web.quota import used_up
from shared.web.runtime import Runtime

LEEWAY = timedelta(seconds=60)
"""How far a line's time may lie ahead of our clock."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""An event cannot be taken back, and readers list every day since the first."""

_ANYBODY = UUID(int=0)

_EARLIER_MAY_HELP = (NotFound, Conflict, Forbidden)

_logger = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Job:
    """A line under way. `answer` is there once `task` is done."""

    number: int
    answer: dict[str, Any]
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Ready:
    """A line that has been understood."""

    command: BackfillCommand[Any]
    line: Line
    context: LineContext
    stream: UUID


@dataclass
class LineProcessor:
    """Works for one request, `me` being who sent it. Give it the lines in their order.

    A request may take hours, so `ask_again` asks as the route did whether they may, before each decision.
    """

    runtime: Runtime
    me: CallerInCommunity
    commands: Mapping[str, BackfillCommand[Any]]
    ask_again: Callable[[], Awaitable[CallerInCommunity]]
    dismissed: bool = False
    """Whether they may no more: a request without end ends with the right to send it."""
    _open: dict[int, Job] = field(default_factory=dict)
    _last: dict[UUID, Job] = field(default_factory=dict)
    _order: Instants = field(default_factory=Instants)

    def take(self, number: int, raw: bytes | None, *, within_quota: bool = True) -> Job:
        """Begin with a line; None stands for one that was too long to be kept."""
        job = Job(number, {"line": number, "source": None, "status": "rejected", "id": None})
        try:
            ready = self._understand(raw, job)
            if not within_quota:
                most = self.runtime.settings.import_lines
                raise used_up(
                    f"You have brought {most:,} lines into this service today, as many as one may in a day. Go on "
                    "tomorrow (UTC), or have an operator bring them in."
                )
        except Exception as error:
            self._reject(job, error)
            return job
        before = self._last.get(ready.stream)
        self._open[number] = self._last[ready.stream] = job
        job.task = asyncio.create_task(self._work(job, ready, before), name="backfill-line")
        return job

    def _understand(self, raw: bytes | None, job: Job) -> _Ready:
        if raw is None:
            raise TooLarge("The line is longer than 256 KiB.")
        given = check_json(raw)
        if not isinstance(given, dict):
            raise BadRequest("A line is one JSON object.", pointer="")
        source = given.get("source")
        job.answer["source"] = source if isinstance(source, str) and len(source) <= 200 else None
        name = given.get("command")
        command = self.commands.get(name) if isinstance(name, str) else None
        if command is None:
            raise Invalid(f"`command` is one of {', '.join(sorted(self.commands))}.", pointer="/command")
        left_out = LeftOut()
        line = _read(command.model, given, left_out)
        line = _of_the_past(line, self.runtime.clock())
        at = line.occurred_at
        if command.listed is not None:
            at = self._order.after_those_before((command.name, command.listed(line)), at)
        context = self._context(line, at, left_out)
        if left_out.parts:
            job.answer["left_out"] = left_out.parts
        return _Ready(command, line, context, command.key(context, line))

    def _context(self, line: Line, at: datetime, left_out: LeftOut) -> LineContext:
        caller, community = self.me.caller, self.me.community
        member = None
        if line.subject is not None:
            member = member_id(caller.secret, community.id, caller.issuer, line.subject)
        act = CommandMetadata(community.id, member, at, imported_by=self.me.id)
        return LineContext(self.runtime, self.me, member, act, left_out)

    async def _work(self, job: Job, ready: _Ready, before: Job | None) -> None:
        try:
            if before is not None and before.task is not None:
                await asyncio.wait([before.task])
            earlier = self._earlier(job)
            try:
                outcome = await self._decide(ready)
            except _EARLIER_MAY_HELP:
                if not earlier:
                    raise
                await asyncio.wait(earlier)
                outcome = await self._decide(ready)
            parts = outcome if isinstance(outcome, Sequence) else [outcome]
            status = ready.command.status([event for part in parts for event in part.events])
            if ready.context.left_out.parts:
                job.answer["left_out"] = ready.context.left_out.parts
            job.answer.update(status=status, **_ids(ready, parts[0], applied=status == "applied"))
        except Exception as error:
            self._reject(job, error)
        finally:
            self._open.pop(job.number, None)
            if self._last.get(ready.stream) is job:
                del self._last[ready.stream]

    def _earlier(self, job: Job) -> list[asyncio.Task[None]]:
        """The lines before this one that are not finished."""
        return [other.task for number, other in self._open.items() if number < job.number and other.task is not None]

    async def _decide(self, ready: _Ready) -> Outcome[Any] | Sequence[Outcome[Any]]:
        try:
            me = await self.ask_again()
        except (Unauthenticated, Forbidden, NotFound):
            self.dismissed = True
            raise
        forbidden, read_only = await self._refusals(ready)
        context = replace(ready.context, me=me, forbidden=forbidden, read_only=read_only)
        return await ready.command.run(context, ready.line)

    async def _refusals(self, ready: _Ready) -> tuple[Forbidden | None, Conflict | None]:
        """Why the subject might not do it then, and why nobody may do anything now; None where they may."""
        member, at = ready.context.member, ready.context.act.occurred_at
        asked = member if ready.command.members_only else None

        def might(standing: Standing) -> bool:
            return asked is None or standing.might_act_at(at)

        found = await self.runtime.directory.look_up(
            self.me.community.id,
            asked or self.me.id,
            lambda community, standing: might(standing) and not community.archived,
            caller=None,
        )
        if found is None:
            raise NotFound("There is no such community.")
        community, standing = found
        return (
            None if might(standing) else Forbidden("The subject was not a member of the community at that time."),
            Conflict("The community is archived and takes no more changes.") if community.archived else None,
        )

    def _reject(self, job: Job, error: Exception) -> None:
        problem = as_problem(error)
        if problem is None:
            _logger.error("backfill line failed", line=job.number, exc_info=error)
            problem = Problem("Something went wrong on our side. It has been logged under the request id.")
        job.answer.update(status="rejected", problem=problem.body())


def _ids(ready: _Ready, outcome: Outcome[Any], *, applied: bool) -> dict[str, UUID | None]:
    """The ids that a line is answered with: of whom, only where it is marked that the caller spoke for them.

    A repeated line leaves no mark, and an edit is its author's, whoever the line names: both could ask of every subject
    whose member id is theirs. So they tell that of what was brought in as theirs, and no id from which it follows.
    """
    member = ready.context.member
    if applied or member is None or outcome.brought_in_as(member):
        return {"id": ready.stream, "member": member}
    anybodys = ready.command.key(replace(ready.context, member=_ANYBODY), ready.line)
    return {"id": ready.stream if anybodys == ready.stream else None, "member": None}


def _read(model: type[Line], given: dict[str, Any], left_out: LeftOut) -> Line:
    try:
        return model.model_validate(given, context=left_out)
    except ValidationError as error:  # said as of a body, so that a line's own `body` is told from it
        raise Violations([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error


def _of_the_past(line: L, now: datetime) -> L:
    """The line, if its times can be: in the past, and edits later than what they edit.

    A time that our clock has not come to yet is recorded as now. Else who leaves in that minute would have joined after
    it, and could be written for.
    """
    if line.occurred_at < EARLIEST:
        raise Invalid("`occurred_at` lies before 1970-01-01, where days begin to be counted.", pointer="/occurred_at")
    latest = now + LEEWAY
    if line.occurred_at > latest:
        raise Invalid("`occurred_at` lies in the future.", pointer="/occurred_at")
    if isinstance(line, DatedLine) and line.edited_at is not None:
        if line.edited_at > latest:
            raise Invalid("`edited_at` lies in the future.", pointer="/edited_at")
        if line.edited_at < line.occurred_at:
            raise Invalid("`edited_at` lies before `occurred_at`.", pointer="/edited_at")
        return line.model_copy(
            update={"occurred_at": min(line.occurred_at, now), "edited_at": min(line.edited_at, now)}
        )
    return line.model_copy(update={"occurred_at": min(line.occurred_at, now)})
