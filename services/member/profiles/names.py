"""The names of who holds a role here, and what becomes of one that looks like them when its member comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.member.events import ProfileUpdated
from services.member.membership.listing import display_names, holders_of
from services.member.profiles.domain import PROFILE, Profile, is_taken, profile_id, update, words_in
from shared.commands.decisions import StreamDecision
from shared.events.errors import Conflict
from shared.log.port import VaultRow
from shared.web.access.permissions import CallerInCommunity
from shared.web.queries import Queries
from shared.web.request_commands import RequestCommands
from shared.web.vault_text import read, refer


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a role, their profiles in the same order, and the names of those who have one."""

    ids: Sequence[UUID] = ()
    profiles: list[Profile | None] = field(default_factory=list)
    names: Sequence[str] = ()


async def holders_but(member: UUID, me: CallerInCommunity, commands: RequestCommands, db: Queries) -> Holders:
    """All others than that member who hold a role in the caller's community."""
    at = me.community.id
    ids = await holders_of(db, at, but=member)
    # At once, so that what is not in memory is read by one query.
    loaded = await asyncio.gather(*(commands.load(PROFILE, profile_id(at, other)) for other in ids))
    profiles = [profile.state for profile in loaded]
    names = await display_names(commands.vault, at, [profile.words.ref for profile in profiles if profile])
    return Holders(ids, profiles, list(names.values()))


@dataclass(frozen=True, slots=True)
class Renaming:
    """What has to be done together with a return, and the words that are to be kept for it."""

    steps: Sequence[StreamDecision[Any, Any]] = ()
    secrets: Sequence[VaultRow] = ()


async def without_a_taken_name(member: UUID, me: CallerInCommunity, commands: RequestCommands, db: Queries) -> Renaming:
    """Somebody who comes back leaves a name behind that looks like that of who holds a role by now; all else in their
    profile stays. It was free when they took it, and nobody compared it with the names that came while they were away.
    """
    at, stream = me.community.id, profile_id(me.community.id, member)
    before = (await commands.load(PROFILE, stream)).state
    content = await read(commands.vault, at, words_in(before)) or {}
    name = content.pop("display_name", None)
    if name is None or not is_taken(name, (await holders_but(member, me, commands, db)).names):
        return Renaming()
    text, secrets = await refer(commands.vault, at, member, content, length(content), words_in(before))

    def renamed(state: Profile | None, *_: Any) -> list[ProfileUpdated]:
        if state != before:  # else what was emptied meanwhile would come back
            raise Conflict("The profile was changed at the same moment. Try again.", retry_after=1)
        return update(state, member, text, list(content), before)

    return Renaming([StreamDecision(PROFILE, stream, renamed)], secrets)


def length(content: dict[str, Any]) -> int:
    """The characters of all fields together."""
    return sum(len(value) if isinstance(value, str) else sum(map(len, value)) for value in content.values())
