"""A channel is opened, renamed, described anew, and archived for good: it takes nothing new and can still be read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from services.content.events import ChannelArchived, ChannelDescribed, ChannelOpened, ChannelRenamed
from shared.events.decider import Decider, begun
from shared.events.errors import Conflict
from shared.events.fact import Fact

Posting = Literal["members", "moderators"]
ChannelEvent = ChannelOpened | ChannelRenamed | ChannelDescribed | ChannelArchived


@dataclass(frozen=True, slots=True)
class Channel:
    """`posting` says who may open threads in it; all members may reply. `edited_at` is when name or purpose changed."""

    id: UUID
    name: str
    purpose: str
    posting: str
    opened_at: datetime
    imported_by: UUID | None
    edited_at: datetime | None
    archived_at: datetime | None = None

    @property
    def archived(self) -> bool:
        return self.archived_at is not None


def evolve(state: Channel | None, fact: Fact[ChannelEvent]) -> Channel:
    match fact.event:
        case ChannelOpened(id_, name, posting, purpose, edited_at):
            return Channel(id_, name, purpose, posting, fact.at, fact.imported_by, edited_at)
        case ChannelRenamed(name=name):
            return replace(begun(state), name=name, edited_at=fact.at)
        case ChannelDescribed(purpose=purpose):
            return replace(begun(state), purpose=purpose, edited_at=fact.at)
        case ChannelArchived():
            return replace(begun(state), archived_at=fact.at)
        case _:
            assert_never(fact.event)


CHANNEL: Decider[Channel, ChannelEvent] = Decider("channel", evolve)


def rename(state: Channel, name: str) -> list[ChannelEvent]:
    """Give it another name."""
    return [] if state.name == name else [ChannelRenamed(writable(state, "; its name stays").id, name)]


def describe(state: Channel, purpose: str) -> list[ChannelEvent]:
    """Say anew what it is for."""
    return [] if state.purpose == purpose else [ChannelDescribed(writable(state, "; its purpose stays").id, purpose)]


def archive(state: Channel) -> list[ChannelEvent]:
    """Close it for new threads, replies and comments."""
    return [] if state.archived else [ChannelArchived(state.id)]


def writable(state: Channel | None, what: str = " and takes nothing new") -> Channel:
    """The channel. Raises `NotFound` where there is none, `Conflict` where it is archived."""
    channel = CHANNEL.existing(state)
    if channel.archived:
        raise Conflict(f"The channel is archived{what}.")
    return channel
