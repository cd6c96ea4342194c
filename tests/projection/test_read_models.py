from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.projection.days import slot_of
from services.projection.read_models import actions, communities, imports, memberships, responses, suggestions, visits
from services.projection.read_models.actions import (
    ACTION_CHANGE,
    ACTION_COUNT,
    ACTION_REPEAT,
    ACTIVE_MEMBERS,
    FIRST_ACTION,
)
from services.projection.read_models.imports import HERE, IMPORT_CHANGE, IMPORT_WITHDRAWAL
from services.projection.read_models.responses import (
    POST_DELETION,
    POST_PARENT,
    RESPONSE,
    RESPONSE_CHANGE,
    RESPONSE_WITHDRAWAL,
    UNKNOWN,
)
from services.projection.read_models.suggestions import ANSWER, SUGGESTION
from services.projection.subscriptions import (
    AcceptanceWithdrawn,
    AnswerAccepted,
    CommentDeleted,
    CommentPosted,
    CommunityDescribed,
    CommunityFounded,
    ImportRestored,
    ImportWithdrawn,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    ReactionAdded,
    ReactionWithdrawn,
    ReplyDeleted,
    ReplyPosted,
    RobotMarked,
    RobotUnmarked,
    SuggestionAnswered,
    SuggestionDeleted,
    SuggestionPlanned,
    SuggestionSubmitted,
    SuggestionVoted,
    TargetShared,
    TargetViewed,
    ThreadDeleted,
    ThreadOpened,
)
from shared.projections.read_model import add, drop, include, micros, put
from tests.projection.histories import COMMUNITY, MEMBERS
from tests.projection.life import PEOPLE
from tests.projection.records import NOON, recorded

ALICE, BOB = MEMBERS[:2]
SLOT = slot_of(NOON)
DAY = SLOT // 96
IDEA = UUID("00000000-0000-5000-8000-0000000001de")
DONE_HERE = (HERE, 0)
THREAD, REPLY, COMMENT = (UUID(int=number) for number in (1, 2, 3))


def acted(kind: str, who: UUID | None) -> list[object]:
    changes: list[object] = [
        add(ACTION_COUNT, (COMMUNITY, SLOT, kind, *DONE_HERE), n=1),
        add(ACTION_CHANGE, (COMMUNITY, DAY), n=1),
    ]
    if who is not None:
        changes.append(include(ACTIVE_MEMBERS, (COMMUNITY, SLOT, *DONE_HERE), "members", who))
        changes.append(put(FIRST_ACTION, (COMMUNITY, who, *DONE_HERE), -micros(NOON), slot=SLOT))
    return changes


def responded(kind: str, sender: UUID, receiver: UUID, post: UUID) -> list[object]:
    return [
        add(RESPONSE, (COMMUNITY, SLOT, receiver, sender, kind, post, *DONE_HERE), n=1),
        add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1),
    ]


def test_each_kind_of_action_makes_its_actor_active() -> None:
    done: dict[actions.ActionEvent, str] = {
        ThreadOpened(ALICE): "thread",
        ReplyPosted(REPLY, THREAD, BOB, ALICE): "reply",
        CommentPosted(COMMENT, REPLY, BOB, ALICE): "comment",
        AnswerAccepted(REPLY, ALICE, BOB): "acceptance",
        ReactionAdded(THREAD, BOB, ALICE, positive=False): "reaction",
        TargetShared(THREAD, BOB, ALICE): "share",
        SuggestionSubmitted(IDEA, ALICE): "suggestion",
        SuggestionVoted(ALICE): "vote",
    }
    for event, kind in done.items():
        assert list(actions.fold(event, recorded(event))) == acted(kind, ALICE)
    assert tuple(done.values()) == actions.ACTION_KINDS


def test_an_action_by_nobody_known_is_counted_and_makes_nobody_active() -> None:
    vote = ReactionAdded(THREAD, ALICE, None, positive=True)
    anonymous = SuggestionSubmitted(IDEA, None)
    assert list(actions.fold(vote, recorded(vote))) == acted("reaction", None)
    assert list(actions.fold(anonymous, recorded(anonymous))) == acted("suggestion", None)


def test_each_kind_of_response_is_a_fact_from_its_sender_to_its_receiver_about_a_post() -> None:
    made: list[tuple[responses.ResponseEvent, str, UUID]] = [
        (AnswerAccepted(REPLY, BOB, ALICE), "acceptance", REPLY),
        (ReactionAdded(COMMENT, ALICE, BOB, positive=True), "positive_reaction", COMMENT),
        (ReactionAdded(COMMENT, ALICE, BOB, positive=False), "negative_reaction", COMMENT),
        (TargetShared(THREAD, ALICE, BOB), "share", THREAD),
    ]
    for event, kind, post in made:
        assert list(responses.fold(event, recorded(event))) == responded(kind, BOB, ALICE, post)


def test_a_reply_and_a_comment_are_responses_and_posts_that_stand_on_another() -> None:
    reply, comment = ReplyPosted(REPLY, THREAD, ALICE, BOB), CommentPosted(COMMENT, REPLY, ALICE, BOB)
    assert list(responses.fold(reply, recorded(reply))) == [
        add(POST_PARENT, (COMMUNITY, THREAD, REPLY), n=1),
        *responded("reply", BOB, ALICE, REPLY),
    ]
    assert list(responses.fold(comment, recorded(comment))) == [
        add(POST_PARENT, (COMMUNITY, REPLY, COMMENT), n=1),
        *responded("comment", BOB, ALICE, COMMENT),
    ]


def test_a_response_by_nobody_known_has_the_unknown_sender() -> None:
    vote = ReactionAdded(THREAD, ALICE, None, positive=True)
    assert list(responses.fold(vote, recorded(vote))) == responded("positive_reaction", UNKNOWN, ALICE, THREAD)


def test_a_response_to_oneself_or_to_nobodys_work_is_no_fact() -> None:
    for event in (
        AnswerAccepted(REPLY, ALICE, ALICE),
        ReactionAdded(THREAD, None, ALICE, positive=True),
        TargetShared(THREAD, ALICE, ALICE),
    ):
        assert list(responses.fold(event, recorded(event))) == []


def test_what_is_no_response_is_still_a_post_that_others_stand_on() -> None:
    for event in (ReplyPosted(REPLY, THREAD, ALICE, ALICE), CommentPosted(REPLY, THREAD, None, None)):
        assert list(responses.fold(event, recorded(event))) == [
            add(POST_PARENT, (COMMUNITY, THREAD, REPLY), n=1),
            add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1),
        ]


def test_the_earliest_deletion_of_a_post_counts_whatever_comes_first() -> None:
    for event, post in (
        (ThreadDeleted(THREAD), THREAD),
        (ReplyDeleted(REPLY), REPLY),
        (CommentDeleted(COMMENT), COMMENT),
    ):
        first, moved = responses.fold(event, recorded(event))
        later, _ = responses.fold(event, recorded(event, NOON + timedelta(seconds=1)))
        assert first == put(POST_DELETION, (COMMUNITY, post), -micros(NOON), slot=SLOT)
        assert moved == add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1)
        assert first.version > later.version  # type: ignore[union-attr]


def test_what_is_withdrawn_is_a_fact_of_the_moment_it_was_withdrawn() -> None:
    before = NOON - timedelta(days=3)
    made: dict[responses.ResponseEvent, str] = {
        AcceptanceWithdrawn(REPLY, BOB, ALICE, before): "acceptance",
        ReactionWithdrawn(REPLY, ALICE, BOB, positive=True, reacted_at=before): "positive_reaction",
    }
    for event, kind in made.items():
        assert list(responses.fold(event, recorded(event))) == [
            add(RESPONSE_WITHDRAWAL, (COMMUNITY, SLOT, slot_of(before), ALICE, BOB, kind, REPLY, *DONE_HERE), n=1),
            add(RESPONSE_CHANGE, (COMMUNITY, DAY), n=1),
        ]


def test_several_reactions_of_one_sign_are_one_response_from_the_first_to_the_last() -> None:
    before = NOON - timedelta(days=3)
    second = ReactionAdded(REPLY, ALICE, BOB, positive=True, begins_response=False)
    one_less = ReactionWithdrawn(REPLY, ALICE, BOB, positive=True, reacted_at=before, ends_response=False)
    for event in (second, one_less):
        assert list(responses.fold(event, recorded(event))) == []
    last = ReactionWithdrawn(REPLY, ALICE, BOB, positive=True, reacted_at=NOON, response_since=before)
    withdrawal, _ = responses.fold(last, recorded(last))
    assert withdrawal.key == (COMMUNITY, SLOT, slot_of(before), ALICE, BOB, "positive_reaction", REPLY, *DONE_HERE)
    assert list(actions.fold(second, recorded(second))) == acted("reaction", BOB)


def test_nothing_is_withdrawn_before_it_was_made() -> None:
    later = NOON + timedelta(days=1)
    event = ReactionWithdrawn(REPLY, ALICE, BOB, positive=True, reacted_at=later)
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


def test_each_joining_and_leaving_stays_so_that_who_came_again_was_here_before() -> None:
    joined, left, sent_away = MemberJoined(ALICE), MemberLeft(ALICE), MemberRemoved(ALICE)
    again = NOON + timedelta(days=30)
    moved = add(memberships.MEMBERSHIP_CHANGE, (COMMUNITY,), n=1)

    def turn(version: int, at: datetime, *, here: bool) -> list[object]:
        return [put(memberships.MEMBERSHIP, (COMMUNITY, ALICE, version), version, slot=slot_of(at), here=here), moved]

    assert [
        *memberships.fold(joined, recorded(joined)),
        *memberships.fold(left, recorded(left, version=2)),
        *memberships.fold(joined, recorded(joined, again, version=3)),
        *memberships.fold(sent_away, recorded(sent_away, again, version=4)),
    ] == [
        *turn(1, NOON, here=True),
        *turn(2, NOON, here=False),
        *turn(3, again, here=True),
        *turn(4, again, here=False),
    ]


def test_a_robot_is_one_until_the_mark_is_taken_back() -> None:
    marked, unmarked = RobotMarked(ALICE), RobotUnmarked(ALICE)
    moved = add(memberships.MEMBERSHIP_CHANGE, (COMMUNITY,), n=1)
    assert [
        *memberships.fold(marked, recorded(marked, version=2)),
        *memberships.fold(unmarked, recorded(unmarked, version=3)),
    ] == [
        put(memberships.ROBOT, (COMMUNITY, ALICE), 2, marked=True),
        moved,
        put(memberships.ROBOT, (COMMUNITY, ALICE), 3, marked=False),
        moved,
    ]


def test_what_is_given_again_is_noted_with_when_it_was_given_before() -> None:
    before = NOON - timedelta(hours=1)
    again: dict[actions.ActionEvent, str] = {
        AnswerAccepted(REPLY, ALICE, BOB, before): "acceptance",
        ReactionAdded(THREAD, BOB, ALICE, positive=True, given_before=before): "reaction",
        SuggestionVoted(ALICE, before): "vote",
    }
    for event, kind in again.items():
        counted, repeat, *others = actions.fold(event, recorded(event))
        assert repeat == add(ACTION_REPEAT, (COMMUNITY, SLOT, slot_of(before), kind, *DONE_HERE), n=1)
        assert [counted, *others] == acted(kind, ALICE)


def test_what_is_brought_in_has_by_whom_and_when_in_its_key() -> None:
    importer, later = PEOPLE[0], NOON + timedelta(days=9)
    like = ReactionAdded(COMMENT, ALICE, BOB, positive=True)
    unlike = ReactionWithdrawn(COMMENT, ALICE, BOB, positive=True, reacted_at=NOON)
    for event in (like, unlike):
        fact, _ = responses.fold(event, recorded(event, imported_by=importer, recorded_at=later))
        assert fact.key[-2:] == (importer, slot_of(later))
    for change in actions.fold(like, recorded(like, imported_by=importer, recorded_at=later)):
        assert change.table is ACTION_CHANGE or change.key[-2:] == (importer, slot_of(later))


def test_an_import_is_withdrawn_until_a_moment_or_restored() -> None:
    importer = PEOPLE[0]
    withdrawn, restored = ImportWithdrawn(importer, NOON), ImportRestored(importer)
    key, moved = (COMMUNITY, importer), add(IMPORT_CHANGE, (COMMUNITY,), n=1)
    assert [
        *imports.fold(withdrawn, recorded(withdrawn, version=4)),
        *imports.fold(restored, recorded(restored, version=5)),
    ] == [put(IMPORT_WITHDRAWAL, key, 4, until=SLOT), moved, drop(IMPORT_WITHDRAWAL, key, 5), moved]
