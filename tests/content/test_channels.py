"""Channels: opened, renamed, archived for good."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.content.channels.domain import CHANNEL, Channel, ChannelEvent, archive, describe, evolve, rename, writable
from services.content.events import ChannelArchived, ChannelDescribed, ChannelRenamed
from shared.events.errors import Conflict, NotFound
from tests.content.samples import ALICE_ID, CHANNEL_ARCHIVED, CHANNEL_OPEN, GARDENING, OPENED
from tests.given import NOON, facts, folded


def test_a_channel_is_renamed_once() -> None:
    assert rename(CHANNEL_OPEN, "Plants") == [ChannelRenamed(GARDENING, "Plants")]
    assert rename(CHANNEL_OPEN, "Gardening") == []


def test_an_archived_channel_keeps_its_name() -> None:
    assert rename(CHANNEL_ARCHIVED, "Gardening") == []
    with pytest.raises(Conflict):
        rename(CHANNEL_ARCHIVED, "Plants")


def test_a_channel_is_archived_once() -> None:
    assert archive(CHANNEL_OPEN) == [ChannelArchived(GARDENING)]
    assert archive(CHANNEL_ARCHIVED) == []


def test_a_channel_knows_how_it_stands_and_since_when() -> None:
    later = NOON + timedelta(days=1)
    renamed = folded(CHANNEL, [ChannelRenamed(GARDENING, "Plants")], CHANNEL_OPEN, later)
    assert renamed == Channel(GARDENING, "Plants", "", "members", NOON, None, later)
    assert not renamed.archived
    assert folded(CHANNEL, [ChannelArchived(GARDENING)], renamed, later).archived_at == later


def test_a_channel_is_described_once() -> None:
    assert describe(CHANNEL_OPEN, "Plants") == [ChannelDescribed(GARDENING, "Plants")]
    assert describe(CHANNEL_ARCHIVED, "") == []
    with pytest.raises(Conflict):
        describe(CHANNEL_ARCHIVED, "Plants")


def test_a_channel_brought_in_says_by_whom_and_when_its_words_were_edited_there() -> None:
    opened: list[ChannelEvent] = [replace(OPENED, edited_at=NOON)]
    (fact,) = facts(opened, imported_by=ALICE_ID)
    channel = evolve(None, fact)
    assert (channel.imported_by, channel.edited_at) == (ALICE_ID, NOON)


def test_only_a_channel_that_is_there_and_not_archived_takes_anything_new() -> None:
    assert writable(CHANNEL_OPEN) == CHANNEL_OPEN
    with pytest.raises(Conflict):
        writable(CHANNEL_ARCHIVED)
    with pytest.raises(NotFound):
        writable(None)
