"""What a service does because something happened, here or in another service, or because a time has come.

A process manager is a read model without tables: `react(event, record)` is pure and answers commands, each at once or,
as a `Timer`, from a time on. They are written in the transaction that moves the checkpoint, so what was read and what
follows from it are never apart, and the dispatcher (`dispatcher.py`) carries them out. What a process remembers stands
in streams, like everything else: a command decides on the state of its target, so one that is out of date, or was
carried out before a crash, decides nothing. A timer that sets itself anew is one whose event leads to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from shared.commands.decisions import Basis
from shared.events.decider import Decider
from shared.events.event import Recorded
from shared.events.identity import derived_id

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When a command is due that waits for no time; whatever the clock says, that is past."""


class OutgoingCommand(msgspec.Struct, frozen=True, tag_field="command", tag=True):
    """A command that follows from an event. Its fields are kept as JSON until it is carried out; a subclass is named in
    it by its class's name, which therefore stays.
    """

    def target(self, community: UUID) -> tuple[Decider[Any, Any], UUID]:
        """The stream it changes."""
        raise NotImplementedError

    def on(self, community: UUID) -> Sequence[Basis]:
        """Other streams that its decision rests on; it is given their states behind its own."""
        return ()

    def decide(self, state: Any, at: datetime, *bases: Any) -> list[Any]:
        """The events of it at that time, on a stream that has begun or (None) not. It must be [] where it was carried
        out before or is out of date. Raises `Problem` where it cannot be carried out as things are.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Timer:
    """A command that is carried out from `due_at` on, and says that it happened then."""

    due_at: datetime
    command: OutgoingCommand


React: TypeAlias = Callable[[Any, Recorded], Iterable[OutgoingCommand | Timer]]


@dataclass(frozen=True, slots=True)
class IssuedCommand:
    """A command as it waits. Its id follows from what caused it, so issued twice it is one."""

    id: UUID
    manager: str
    target: UUID
    community: UUID
    cause: UUID
    occurred_at: datetime
    due_at: datetime
    command: bytes


def issued(manager: str, record: Recorded, number: int, item: OutgoingCommand | Timer) -> IssuedCommand:
    """The command that a manager answered to a record, as the `number`th."""
    command, due_at = (item.command, item.due_at) if isinstance(item, Timer) else (item, AT_ONCE)
    return IssuedCommand(
        derived_id("command", record.id, manager, number),
        manager,
        command.target(record.community)[1],
        record.community,
        record.id,
        record.occurred_at if due_at is AT_ONCE else due_at,
        due_at,
        msgspec.json.encode(command),
    )


def decoder_of(commands: Iterable[type[OutgoingCommand]]) -> msgspec.json.Decoder[OutgoingCommand]:
    """Reads what `issued` wrote of these classes."""
    kinds = tuple(commands)
    union: Any = kinds[0]
    for kind in kinds[1:]:
        union |= kind
    return msgspec.json.Decoder(union)
