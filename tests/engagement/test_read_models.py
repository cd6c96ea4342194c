"""What the service keeps to answer with: each event gives the changes that a reader expects."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.content import events as content
from services.engagement import events, subscriptions
from services.engagement.app import SERVICE
from services.engagement.events import TargetShared, TargetViewed
from services.engagement.read_models.reach import REACH, share_count, view_count
from services.engagement.read_models.reactions import REACTIONS, reaction_count, reaction_list
from services.engagement.read_models.targets import TARGETS, targets
from services.engagement.subscriptions import CommentDeleted, CommentPosted, ReplyPosted, ThreadDeleted, ThreadOpened
from shared.events.catalogue import Catalogue
from shared.events.event import Text, encode_data, wire_name
from shared.projections.read_model import Change, Put, ReadModel, add, drop, put
from tests.engagement.records import COMMUNITY, recorded
from tests.engagement.samples import ALICE, BOB, LIKE, LIKED, NOON, ROSES, UNLIKED, WATER

REMARK = UUID("00000000-0000-7000-8000-0000000000e1")


def changes(view: ReadModel, event: Any, version: int = 1) -> list[Change]:
    return list(view.fold(event, recorded(event, version)))


def test_a_thread_a_reply_and_a_comment_are_targets_that_stand_in_each_other() -> None:
    assert changes(TARGETS, ThreadOpened(ROSES, ALICE)) == [
        put(targets, (COMMUNITY, ROSES), 1, kind="thread", author=ALICE, thread=ROSES)
    ]
    assert changes(TARGETS, ReplyPosted(WATER, ROSES, None)) == [
        put(targets, (COMMUNITY, WATER), 1, kind="reply", author=None, parent=ROSES, thread=ROSES)
    ]
    assert changes(TARGETS, CommentPosted(REMARK, ROSES, WATER, BOB)) == [
        put(targets, (COMMUNITY, REMARK), 1, kind="comment", author=BOB, parent=WATER, thread=ROSES)
    ]


def test_what_was_deleted_is_no_target_any_more() -> None:
    since = {"deleted_at": NOON}
    assert changes(TARGETS, ThreadDeleted(ROSES), 3) == [Put(targets, (COMMUNITY, ROSES), 3, since, gone=True)]
    assert changes(TARGETS, CommentDeleted(REMARK), 2) == [Put(targets, (COMMUNITY, REMARK), 2, since, gone=True)]


def test_reactions_are_listed_and_counted_and_taken_off_again() -> None:
    row = {"target": ROSES, "actor": BOB, "kind": "like", "positive": True, "reacted_at": NOON, "imported_by": None}
    assert changes(REACTIONS, LIKED) == [
        put(reaction_list, (COMMUNITY, LIKE), 1, **row),
        add(reaction_count, (COMMUNITY, ROSES, "like"), reactions=1),
    ]
    assert changes(REACTIONS, UNLIKED, 2) == [
        drop(reaction_list, (COMMUNITY, LIKE), 2),
        add(reaction_count, (COMMUNITY, ROSES, "like"), reactions=-1),
    ]


def test_views_and_shares_are_counted() -> None:
    assert changes(REACH, TargetViewed(ROSES, "thread", ALICE, BOB, NOON)) == [
        add(view_count, (COMMUNITY, ROSES), views=1)
    ]
    assert changes(REACH, TargetShared(REMARK, ROSES, "thread", ALICE, BOB, "mail")) == [
        add(share_count, (COMMUNITY, ROSES, "mail"), shares=1)
    ]


def test_every_event_of_the_service_is_in_some_view() -> None:
    assert set(Catalogue.of(events).events) == {
        name for view in SERVICE.own_read_models for name in view.catalogue.events
    }


def test_the_content_services_own_events_are_read_with_the_fields_that_are_needed() -> None:
    text = Text(UUID(int=1), 12)
    published = [
        content.ThreadOpened(ROSES, REMARK, ALICE, text, ("roses",)),
        content.ThreadDeleted(ROSES, REMARK, ALICE, ("roses",)),
        content.ReplyPosted(WATER, ROSES, ALICE, None, None),
        content.ReplyDeleted(WATER, ROSES, BOB),
        content.CommentPosted(REMARK, ROSES, WATER, "reply", None, BOB, text),
        content.CommentDeleted(REMARK, ROSES, WATER, BOB),
    ]
    for event in published:
        name = wire_name(type(event))
        read = TARGETS.catalogue.decode(name, encode_data(event))
        assert {field: getattr(event, field) for field in read.__struct_fields__} == {
            field: getattr(read, field) for field in read.__struct_fields__
        }
    assert {wire_name(type(event)) for event in published} == set(Catalogue.of(subscriptions).events)
