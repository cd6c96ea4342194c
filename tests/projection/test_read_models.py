from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.projection.days import slot_of
from services.projection.read_models import actions, communities, memberships, responses, suggestions, visits
from services.projection.read_models.actions import ACTION_CHANGE, ACTION_COUNT, ACTIVE_MEMBERS, FIRST_ACTION
from services.projection.read_models.responses import RESPONSE, RESPONSE_CHANGE, RESPONSE_WITHDRAWAL, UNKNOWN
from services.projection.read_models.suggestions import ANSWER, SUGGESTION
from services.projection.subscriptions import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    CommentPosted,
    CommunityDescribed,
    CommunityFounded,
    MemberJoined,
    MemberLeft,
    ReactionAdded,
    ReactionWithdrawn,
    ReplyPosted,
    SuggestionAnswered,
    SuggestionDeleted,
    SuggestionPlanned,
    SuggestionSubmitted,
    SuggestionVoted,
    TargetShared,
    TargetViewed,
    ThreadOpened,
)
from shared.views.view import add, drop, include, micros, put
from tests.projection.histories import COMMUNITY, MEMBERS
from tests.projection.records import NOON, recorded

ALICE, BOB = MEMBERS[:2]
SLOT = slot_of(NOON)
DAY = SLOT // 96
IDEA = UUID("00000000-0000-5000-8000-0000000001de")


def acted(kind: str, who: UUID | None) -> list[object]:
    changes: list[object] = [add(ACTION_COUNT, (COMMUNITY, SLOT, kind), n=1), add(ACTION_CHANGE, (COMMUNITY, DAY), n=1)]
    if who is not None:
        changes.append(include(ACTIVE_MEMBERS, (COMMUNITY, SLOT), "members", who))
        changes.append(put(FIRST_ACTION, (COMMUNITY, who), -micros(NOON), slot=SLOT))
    return changes


def responded(kind: str, sender: UUID, receiver: UUID) -> list[object]:
    return [
        add(RESPONSE, (COMMUNITY, SLOT, receiver, sender, kind), n=1),
        add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1),
    ]


def test_each_kind_of_action_makes_its_actor_active() -> None:
    done: dict[actions.ActionEvent, str] = {
        ThreadOpened(ALICE): "thread",
        ReplyPosted(BOB, ALICE): "reply",
        CommentPosted(BOB, ALICE): "comment",
        AnswerAccepted(ALICE, BOB): "acceptance",
        ReactionAdded(BOB, ALICE, positive=False): "reaction",
        TargetShared(BOB, ALICE): "share",
        SuggestionSubmitted(IDEA, ALICE): "suggestion",
        SuggestionVoted(ALICE): "vote",
    }
    for event, kind in done.items():
        assert list(actions.fold(event, recorded(event))) == acted(kind, ALICE)
    assert tuple(done.values()) == actions.ACTION_KINDS


def test_an_action_by_nobody_known_is_counted_and_makes_nobody_active() -> None:
    vote = ReactionAdded(ALICE, None, positive=True)
    anonymous = SuggestionSubmitted(IDEA, None)
    assert list(actions.fold(vote, recorded(vote))) == acted("reaction", None)
    assert list(actions.fold(anonymous, recorded(anonymous))) == acted("suggestion", None)


def test_each_kind_of_response_is_a_fact_from_its_sender_to_its_receiver() -> None:
    made: dict[responses.ResponseEvent, str] = {
        ReplyPosted(ALICE, BOB): "reply",
        CommentPosted(ALICE, BOB): "comment",
        AnswerAccepted(BOB, ALICE): "acceptance",
        ReactionAdded(ALICE, BOB, positive=True): "positive_reaction",
        ReactionAdded(ALICE, BOB, positive=False): "negative_reaction",
        TargetShared(ALICE, BOB): "share",
    }
    for event, kind in made.items():
        assert list(responses.fold(event, recorded(event))) == responded(kind, BOB, ALICE)


def test_a_response_by_nobody_known_has_the_unknown_sender() -> None:
    vote = ReactionAdded(ALICE, None, positive=True)
    assert list(responses.fold(vote, recorded(vote))) == responded("positive_reaction", UNKNOWN, ALICE)


def test_a_response_to_oneself_or_to_nobodys_work_is_no_fact() -> None:
    for event in (ReplyPosted(ALICE, ALICE), ReplyPosted(None, ALICE), CommentPosted(None, None)):
        assert list(responses.fold(event, recorded(event))) == []


def test_what_is_withdrawn_is_a_fact_of_the_moment_it_was_withdrawn() -> None:
    before = NOON - timedelta(days=3)
    made: dict[responses.ResponseEvent, str] = {
        AcceptanceWithdrawn(BOB, ALICE, before): "acceptance",
        ReactionWithdrawn(ALICE, BOB, positive=True, reacted_at=before): "positive_reaction",
    }
    for event, kind in made.items():
        assert list(responses.fold(event, recorded(event))) == [
            add(RESPONSE_WITHDRAWAL, (COMMUNITY, SLOT, slot_of(before), ALICE, BOB, kind), n=1),
            add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1),
        ]


def test_nothing_is_withdrawn_before_it_was_made() -> None:
    later = NOON + timedelta(days=1)
    event = ReactionWithdrawn(ALICE, BOB, positive=True, reacted_at=later)
    withdrawal, _ = responses.fold(event, recorded(event))
    assert withdrawal.key[1] == withdrawal.key[2] == slot_of(later)


def test_a_view_is_a_visit_and_no_action() -> None:
    event = TargetViewed(ALICE)
    key = (COMMUNITY, SLOT)
    assert list(visits.fold(event, recorded(event))) == [
        add(visits.VISIT, key, n=1),
        include(visits.VISIT, key, "members", ALICE),
    ]


def test_the_first_answer_to_a_suggestion_is_the_earliest_whatever_comes_first() -> None:
    event = SuggestionAnswered(IDEA)
    (first,) = suggestions.fold(event, recorded(event, NOON))
    (later,) = suggestions.fold(event, recorded(event, NOON + timedelta(seconds=1), version=2))
    assert first == put(ANSWER, (COMMUNITY, IDEA), -micros(NOON), answered_at=NOON)
    assert first.version > later.version  # type: ignore[union-attr]


def test_a_suggestion_is_put_by_its_own_stream() -> None:
    submitted, planned = SuggestionSubmitted(IDEA, None), SuggestionPlanned(IDEA)
    key = (COMMUNITY, IDEA)
    assert [
        *suggestions.fold(submitted, recorded(submitted)),
        *suggestions.fold(planned, recorded(planned, version=2)),
    ] == [
        put(SUGGESTION, key, 1, state="open", submitted_at=NOON),
        put(SUGGESTION, key, 2, state="planned"),
    ]


def test_a_deleted_suggestion_is_in_no_state() -> None:
    deleted = SuggestionDeleted(IDEA)
    assert [*suggestions.fold(deleted, recorded(deleted, version=3))] == [drop(SUGGESTION, (COMMUNITY, IDEA), 3)]


def test_a_community_keeps_its_slug_when_it_is_described_anew() -> None:
    founded = CommunityFounded("guild", "Guild", "fr", "Europe/Paris")
    described = CommunityDescribed("Guild Hall", "fr", "UTC")
    here = (COMMUNITY,)
    assert [
        *communities.fold(founded, recorded(founded)),
        *communities.fold(described, recorded(described, version=2)),
    ] == [
        put(communities.COMMUNITY, here, 1, name="Guild", language="fr", time_zone="Europe/Paris", slug="guild"),
        put(communities.COMMUNITY, here, 2, name="Guild Hall", language="fr", time_zone="UTC"),
    ]


def test_who_left_is_not_here_and_who_came_again_is() -> None:
    joined, left = MemberJoined(ALICE), MemberLeft(ALICE)
    key = (COMMUNITY, ALICE)
    again = datetime(2026, 4, 1, tzinfo=UTC)
    assert [
        *memberships.fold(joined, recorded(joined)),
        *memberships.fold(left, recorded(left, version=2)),
        *memberships.fold(joined, recorded(joined, again, version=3)),
    ] == [
        put(memberships.MEMBERSHIP, key, 1, here=True, joined_at=NOON, left_at=None),
        put(memberships.MEMBERSHIP, key, 2, here=False, left_at=NOON),
        put(memberships.MEMBERSHIP, key, 3, here=True, joined_at=again, left_at=None),
    ]
