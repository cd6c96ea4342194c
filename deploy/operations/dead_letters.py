"""Commands of process managers that were given up: look at them, and give them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.db import Driver

FIELDS = "id, manager, target, community, cause, occurred_at, tries, reason, dead_at, command"
LIST = f"""
select {FIELDS} from outgoing_command
where dead_at is not null and ($1::text is null or manager = $1) and ($2::uuid is null or id = $2)
order by dead_at, number limit $3
"""  # noqa: S608 - our own words
GIVE_AGAIN = """
update outgoing_command set tries = 0, again_at = null, dead_at = null
where dead_at is not null and ($1::text is null or manager = $1) and ($2::uuid is null or id = $2)
"""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A command that never passed; `reason` is what it met the last time, `command` its fields as JSON."""

    id: UUID
    manager: str
    target: UUID
    community: UUID
    cause: UUID
    occurred_at: datetime
    tries: int
    reason: str
    dead_at: datetime
    command: bytes


async def dead_letters(
    database: Driver, manager: str | None = None, id_: UUID | None = None, limit: int = 1_000
) -> Sequence[DeadLetter]:
    """The oldest first."""
    return [DeadLetter(*row) for row in await database.fetch(LIST, manager, id_, limit)]


async def give_again(database: Driver, manager: str | None = None, id_: UUID | None = None) -> int:
    """Have the worker try them anew, in their order; how many there are. What has been carried out decides nothing."""
    done: str = await database.execute(GIVE_AGAIN, manager, id_)
    return int(done.rpartition(" ")[2])
