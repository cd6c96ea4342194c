"""Channels: opened, renamed, archived for good."""

from __future__ import annotations

import pytest

from services.content.channels.domain import CHANNEL, Channel, archive, open_channel, rename
from services.content.events import ChannelArchived, ChannelOpened, ChannelRenamed
from shared.events.errors import Conflict, KeyReused, NotFound
from tests.content.samples import CHANNEL_ARCHIVED, CHANNEL_OPEN, GARDENING, OPENED


def test_a_channel_is_opened() -> None:
    assert open_channel(Channel(), GARDENING, "Gardening", "members", "") == [OPENED]


def test_a_channel_opened_again_changes_nothing_even_under_its_new_name() -> None:
    renamed = CHANNEL.fold([OPENED, ChannelRenamed(GARDENING, "Plants")])
    assert open_channel(renamed, GARDENING, "Gardening", "members", "") == []


def test_an_id_that_is_taken_is_not_given_to_another_channel() -> None:
    with pytest.raises(KeyReused):
        open_channel(CHANNEL_OPEN, GARDENING, "Gardening", "moderators", "")


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


def test_nothing_is_decided_about_a_channel_that_does_not_exist() -> None:
    with pytest.raises(NotFound):
        rename(Channel(), "Plants")
    with pytest.raises(NotFound):
        archive(Channel())


def test_a_channel_says_who_opens_threads_in_it() -> None:
    news = open_channel(Channel(), GARDENING, "News", "moderators", "What is new")
    assert news == [ChannelOpened(GARDENING, "News", "moderators", "What is new")]
