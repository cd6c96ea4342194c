"""The lists: each event gives the changes that a reader of them expects."""

from __future__ import annotations

from typing import Any

from services.content import events
from services.content.app import SERVICE
from services.content.events import (
    AcceptanceWithdrawn,
    ChannelArchived,
    ChannelRenamed,
    CommentDeleted,
    CommentPosted,
    ReplyEdited,
    ThreadEdited,
)
from services.content.read_models.channel_list import CHANNEL_LIST, channel_list
from services.content.read_models.discussion import DISCUSSION, comment_list, reply_list
from services.content.read_models.tag_list import TAG_LIST, tag_list
from services.content.read_models.thread_list import FOR_GOOD, THREAD_LIST, thread_activity, thread_list, thread_tag
from shared.events.catalogue import Catalogue
from shared.projections.read_model import Change, Put, ReadModel, add, drop, micros, put
from tests.content.records import COMMUNITY, NOON, recorded
from tests.content.samples import (
    ACCEPTED,
    ALICE_ID,
    ANSWERED,
    ASKED,
    BOB_ID,
    COMMENT_DELETED,
    GARDENING,
    OPENED,
    REMARKED,
    REPLY_DELETED,
    ROSES,
    THREAD_DELETED,
    WATER,
    WHEN,
    words,
)

CHANNEL, THREAD, REPLY, COMMENT = ((COMMUNITY, id_) for id_ in (GARDENING, ROSES, WATER, WHEN))
ON_THREAD = CommentPosted(WHEN, ROSES, ROSES, "thread", ALICE_ID, BOB_ID, words(4))
ACTIVE = put(thread_activity, THREAD, micros(NOON), at=NOON)


def changes(view: ReadModel, event: Any, version: int = 1) -> list[Change]:
    return list(view.fold(event, recorded(event, version)))


def test_a_channel_is_listed_renamed_and_archived() -> None:
    row = {
        "name": "Gardening",
        "posting": "members",
        "purpose": "",
        "opened_at": NOON,
        "archived": False,
        "imported_by": None,
    }
    assert changes(CHANNEL_LIST, OPENED) == [put(channel_list, CHANNEL, 1, **row)]
    assert changes(CHANNEL_LIST, ChannelRenamed(GARDENING, "Plants"), 2) == [
        put(channel_list, CHANNEL, 2, name="Plants")
    ]
    assert changes(CHANNEL_LIST, ChannelArchived(GARDENING), 3) == [put(channel_list, CHANNEL, 3, archived=True)]


def test_a_channel_counts_the_threads_that_stand_in_it() -> None:
    assert changes(CHANNEL_LIST, ASKED) == [add(channel_list, CHANNEL, threads=1)]
    assert changes(CHANNEL_LIST, THREAD_DELETED, 2) == [add(channel_list, CHANNEL, threads=-1)]


def test_an_opened_thread_is_listed_under_its_tags_and_is_active() -> None:
    row = {"channel": GARDENING, "author": ALICE_ID, "text_ref": words(1).ref, "tags": ["roses"]}
    row |= {"opened_at": NOON, "edited_at": None, "imported_by": None}
    assert changes(THREAD_LIST, ASKED) == [
        put(thread_list, THREAD, 1, **row),
        put(thread_tag, (COMMUNITY, "roses", ROSES), 1),
        ACTIVE,
    ]


def test_an_edit_moves_a_thread_between_tags_and_is_no_activity() -> None:
    event = ThreadEdited(ROSES, GARDENING, ALICE_ID, words(5), ("soil", "water"), ("roses", "water"))
    assert changes(THREAD_LIST, event, 2) == [
        put(thread_list, THREAD, 2, text_ref=words(5).ref, tags=["soil", "water"], edited_at=NOON, edited_by=None),
        put(thread_tag, (COMMUNITY, "soil", ROSES), 2),
        drop(thread_tag, (COMMUNITY, "roses", ROSES), 2),
    ]
    assert changes(TAG_LIST, event, 2) == [
        add(tag_list, (COMMUNITY, "soil"), threads=1),
        add(tag_list, (COMMUNITY, "roses"), threads=-1),
    ]


def test_a_deleted_thread_leaves_the_list_and_its_tags() -> None:
    assert changes(THREAD_LIST, THREAD_DELETED, 2) == [
        drop(thread_list, THREAD, FOR_GOOD),
        Put(thread_activity, THREAD, FOR_GOOD, {"at": None}, gone=True),
        drop(thread_tag, (COMMUNITY, "roses", ROSES), 2),
    ]
    assert changes(TAG_LIST, ASKED) == [add(tag_list, (COMMUNITY, "roses"), threads=1)]
    assert changes(TAG_LIST, THREAD_DELETED, 2) == [add(tag_list, (COMMUNITY, "roses"), threads=-1)]


def test_a_thread_shows_its_accepted_answer() -> None:
    withdrawn = AcceptanceWithdrawn(ROSES, WATER, ALICE_ID, BOB_ID, NOON)
    assert changes(THREAD_LIST, ACCEPTED, 2) == [put(thread_list, THREAD, 2, accepted_reply=WATER)]
    assert changes(THREAD_LIST, withdrawn, 3) == [put(thread_list, THREAD, 3, accepted_reply=None)]


def test_replies_are_counted_and_are_activity_and_their_deletion_is_none() -> None:
    assert changes(THREAD_LIST, ANSWERED) == [add(thread_list, THREAD, replies=1), ACTIVE]
    assert changes(THREAD_LIST, REPLY_DELETED, 2) == [add(thread_list, THREAD, replies=-1)]


def test_comments_are_counted_where_they_stand_and_are_activity_of_the_thread() -> None:
    off_thread = CommentDeleted(WHEN, ROSES, ROSES, BOB_ID)
    assert changes(THREAD_LIST, ON_THREAD) == [add(thread_list, THREAD, comments=1), ACTIVE]
    assert changes(THREAD_LIST, off_thread, 2) == [add(thread_list, THREAD, comments=-1)]
    assert changes(THREAD_LIST, REMARKED) == [ACTIVE]
    assert changes(THREAD_LIST, COMMENT_DELETED, 2) == []
    assert changes(DISCUSSION, COMMENT_DELETED, 2) == [
        drop(comment_list, COMMENT, 2),
        add(reply_list, REPLY, comments=-1),
    ]


def test_a_discussion_lists_replies_and_comments() -> None:
    reply = {
        "thread": ROSES,
        "author": BOB_ID,
        "text_ref": words(2).ref,
        "posted_at": NOON,
        "edited_at": None,
        "imported_by": None,
    }
    comment = {
        "thread": ROSES,
        "author": ALICE_ID,
        "text_ref": words(4).ref,
        "posted_at": NOON,
        "edited_at": None,
        "imported_by": None,
    }
    assert changes(DISCUSSION, ANSWERED) == [put(reply_list, REPLY, 1, **reply)]
    assert changes(DISCUSSION, REMARKED) == [
        put(comment_list, COMMENT, 1, target=WATER, target_kind="reply", **comment),
        add(reply_list, REPLY, comments=1),
    ]
    assert changes(DISCUSSION, ReplyEdited(WATER, ROSES, BOB_ID, None), 2) == [
        put(reply_list, REPLY, 2, text_ref=None, edited_at=NOON, edited_by=None)
    ]
    assert changes(DISCUSSION, REPLY_DELETED, 3) == [drop(reply_list, REPLY, 3)]


def test_every_event_of_the_service_is_in_some_list() -> None:
    listed = {name for view in SERVICE.own_read_models for name in view.catalogue.events}
    assert set(Catalogue.of(events).events) == listed
