"""What a service does when another one speaks: commands that follow from events, carried out at least once.

A process manager is a read model without tables: its fold is pure and answers commands, so positions, gaps and parking
are those of every view. Commands are carried out before the mark moves, so after a crash in between, or by a worker
that has not heard of its successor, they are carried out again. What a command makes has ids that derive from the
event's, so the second time finds it made. A command that cannot be carried out parks its event, to be replayed: one
that is refused, one whose decision fails, and one that is still told to try again after `TRIES`, also because its
stream has events that only a newer release knows. Only a log that is away is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from shared.cancellation import Stray
from shared.commands.commands import CommandMetadata, Commands
from shared.db import is_away
from shared.events.catalogue import UnknownType
from shared.events.decider import Decider
from shared.events.errors import Problem, Unavailable
from shared.events.event import Event, Recorded
from shared.polling import BackOff

if TYPE_CHECKING:
    from uuid import UUID

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class OutgoingCommand(Generic[S, E]):
    """A command on one stream that follows from an event.

    `decide` must answer [] where it was carried out before: a stream whose id is `derived_id(…, record.id)` can tell.
    """

    decider: Decider[S, E]
    stream: UUID
    decide: Callable[[S | None], list[E]]
    act: CommandMetadata


def follow(
    record: Recorded, decider: Decider[S, E], stream: UUID, decide: Callable[[S | None], list[E]]
) -> OutgoingCommand[S, E]:
    """The command that follows from a record: in its community, at its time, by nobody, caused by it."""
    return OutgoingCommand(
        decider, stream, decide, CommandMetadata(record.community, None, record.occurred_at, causation=record.id)
    )


Dispatch: TypeAlias = Callable[[OutgoingCommand[Any, Any]], Awaitable[None]]
"""Carries out one command. Raises `CommandRefused` for one that never can be."""


class CommandRefused(Exception):
    """The command cannot be carried out as things are, however often it is tried."""


TRIES = 4
"""How often a command is given that is told to try again; then it is as good as refused."""
PAUSES = (0.05, 0.5)
"""Seconds between them, the first and the longest."""


async def dispatch(commands: Commands, command: OutgoingCommand[Any, Any]) -> None:
    """Execute it. Raises `CommandRefused` for what will not pass, and what it met where the log is away."""
    back_off = BackOff(*PAUSES)
    for left in reversed(range(TRIES)):
        try:
            await commands.execute(command.decider, command.stream, command.decide, act=command.act)
            return
        except Exception as error:  # whatever a decision raises is the same at every try
            newer = isinstance(error.__cause__, UnknownType)  # the stream's state; it holds up no other stream
            if not newer and (isinstance(error, (Unavailable, Stray)) or is_away(error)):
                raise
            again = isinstance(error, Problem) and error.retry_after is not None
            if not (again and left):
                raise CommandRefused(_why(error)) from error
        await asyncio.sleep(back_off.next())


def _why(error: Exception) -> str:
    return f"{error.title}: {error.detail}" if isinstance(error, Problem) else f"{type(error).__name__}: {error}"


async def no_dispatch(command: OutgoingCommand[Any, Any]) -> None:
    """For a store whose views only write rows."""
    raise CommandRefused(f"Nobody here carries out commands; this one is for a {command.decider.name}.")
