"""What a process of a service is made of; routes and workers take it from here, and only `service.py` builds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.commands.commands import Commands
from shared.events.errors import NotFound
from shared.events.positions import Seal
from shared.log.port import Log
from shared.projections.freshness import Watch
from shared.projections.movement import Movement
from shared.projections.read_model import ReadModel
from shared.projections.waiters import Waiters
from shared.replicas.directory_lookup import Directory
from shared.settings import Settings
from shared.vault import Vault
from shared.web.access.tokens import Tokens

if TYPE_CHECKING:
    from shared.projections.runners import ProjectionRunners
    from shared.relay.relay import Relay


def machine_clock() -> datetime:
    """By the machine's clock, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is where it is asked


@dataclass
class Runtime:
    """One per process. `log` is None in a service that owns no facts.

    `relay` and `readers` are what this process's worker runs at the moment; `failing` names the parts of
    it that were begun again just now, with the error. `draining` is set when the process begins to stop.
    `waiters` are those who wait for look-ups. `revision` is the schema this code is written for.
    `pools` are this process's engines by what they are for.

    `clock` tells when what happens now happens, and what day it is; tests set it. What guards the process itself
    (waits, leases, quotas, how long keys are kept) goes by the machine's clock.
    """

    service: str
    settings: Settings
    engine: AsyncEngine
    tokens: Tokens
    directory: Directory
    vault: Vault
    watch: Watch
    seal: Seal
    movement: Movement
    waiters: Waiters
    revision: frozenset[str]
    clock: Callable[[], datetime] = machine_clock
    log: Log | None = None
    own_commands: Commands | None = None
    views: Sequence[ReadModel] = ()
    relay: Relay | None = None
    failing: dict[str, str] = field(default_factory=dict)
    readers: list[ProjectionRunners] = field(default_factory=list)
    pools: dict[str, AsyncEngine] = field(default_factory=dict)
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def commands(self) -> Commands:
        if self.own_commands is None:
            raise NotFound("This service takes no commands.")
        return self.own_commands
