"""What a process of a service is made of; routes and workers take it from here, and only `service.py` builds it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.access.lookup import Directory
from shared.access.tokens import Tokens
from shared.commands import Commands
from shared.errors import NotFound
from shared.log.port import Log
from shared.positions import Seal
from shared.settings import Settings
from shared.vault import Vault
from shared.views.freshness import Watch
from shared.views.progress import Progress
from shared.views.view import View

if TYPE_CHECKING:
    from shared.relay.relay import Relay
    from shared.views.readers import Readers


@dataclass
class Runtime:
    """One per process. `log` is None in a service that owns no facts.

    `relay` and `readers` are what this process's worker runs at the moment; `failing` names the parts of
    it that were begun again just now, with the error. `draining` is set when the process begins to stop.
    `revision` is the schema this code is written for. `pools` are this process's engines by what they are for.
    """

    service: str
    settings: Settings
    engine: AsyncEngine
    tokens: Tokens
    directory: Directory
    vault: Vault
    watch: Watch
    seal: Seal
    progress: Progress
    revision: frozenset[str]
    log: Log | None = None
    own_commands: Commands | None = None
    views: Sequence[View] = ()
    relay: Relay | None = None
    failing: dict[str, str] = field(default_factory=dict)
    readers: list[Readers] = field(default_factory=list)
    pools: dict[str, AsyncEngine] = field(default_factory=dict)
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def commands(self) -> Commands:
        if self.own_commands is None:
            raise NotFound("This service takes no commands.")
        return self.own_commands
