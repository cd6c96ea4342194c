"""A channel is opened, renamed, described anew, and archived for good.

Archived, it takes nothing new and can still be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never
from uuid import UUID

from services.content.events import ChannelArchived, ChannelDescribed, ChannelOpened, ChannelRenamed
from shared.events.decider import Decider
from shared.events.errors import Conflict, KeyReused, NotFound

Posting = Literal["members", "moderators"]

ChannelEvent = ChannelOpened | ChannelRenamed | ChannelDescribed | ChannelArchived


@dataclass(frozen=True, slots=True)
class Channel:
    """`opened` is how it was opened; None before that."""

    opened: ChannelOpened | None = None
    name: str = ""
    purpose: str = ""
    archived: bool = False


def evolve(state: Channel, event: ChannelEvent) -> Channel:
    match event:
        case ChannelOpened(name=name, purpose=purpose):
            return Channel(event, name, purpose)
        case ChannelRenamed(name=name):
            return replace(state, name=name)
        case ChannelDescribed(purpose=purpose):
            return replace(state, purpose=purpose)
        case ChannelArchived():
            return replace(state, archived=True)
        case _:
            assert_never(event)


CHANNEL: Decider[Channel, ChannelEvent] = Decider("channel", Channel(), evolve)


def open_channel(
    state: Channel,
    channel_id: UUID,
    name: str,
    posting: Posting,
    purpose: str,
    edited_at: datetime | None = None,
) -> list[ChannelEvent]:
    """Open a channel; `posting` says who may open threads in it, all members may reply. `edited_at` as in the event."""
    opening = ChannelOpened(channel_id, name, posting, purpose, edited_at)
    if state.opened is None:
        return [opening]
    if state.opened == opening:
        return []
    raise KeyReused("channel")


def rename(state: Channel, name: str) -> list[ChannelEvent]:
    """Give it another name."""
    opened = existing(state)
    if state.name == name:
        return []
    if state.archived:
        raise Conflict("The channel is archived; its name stays.")
    return [ChannelRenamed(opened.channel_id, name)]


def describe(state: Channel, purpose: str) -> list[ChannelEvent]:
    """Say anew what it is for."""
    opened = existing(state)
    if state.purpose == purpose:
        return []
    if state.archived:
        raise Conflict("The channel is archived; its purpose stays.")
    return [ChannelDescribed(opened.channel_id, purpose)]


def archive(state: Channel) -> list[ChannelEvent]:
    """Close it for new threads, replies and comments."""
    opened = existing(state)
    return [] if state.archived else [ChannelArchived(opened.channel_id)]


def existing(state: Channel) -> ChannelOpened:
    """How the channel was opened. Raises `NotFound` where there is none."""
    if state.opened is None:
        raise NotFound("There is no such channel.")
    return state.opened


def writable(state: Channel) -> ChannelOpened:
    """As `existing`; raises `Conflict` where it takes nothing new."""
    opened = existing(state)
    if state.archived:
        raise Conflict("The channel is archived and takes nothing new.")
    return opened
