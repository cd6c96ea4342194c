"""What projection reads of the other services' events: the same wire names, and only the fields that it needs.

A field that is left out here is ignored when an event is decoded; a test decodes the published samples with these.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event, Instant

# member


class CommunityFounded(Event, frozen=True, tag="guildhall.member.community-founded.v1"):
    slug: str
    name: str
    language: str
    time_zone: str


class CommunityDescribed(Event, frozen=True, tag="guildhall.member.community-described.v1"):
    name: str
    language: str
    time_zone: str


class MemberJoined(Event, frozen=True, tag="guildhall.member.member-joined.v1"):
    member_id: UUID


class MemberLeft(Event, frozen=True, tag="guildhall.member.member-left.v1"):
    member_id: UUID


class MemberRemoved(Event, frozen=True, tag="guildhall.member.member-removed.v1"):
    member_id: UUID


class RobotMarked(Event, frozen=True, tag="guildhall.member.robot-marked.v1"):
    member_id: UUID


class RobotUnmarked(Event, frozen=True, tag="guildhall.member.robot-unmarked.v1"):
    member_id: UUID


class ImportWithdrawn(Event, frozen=True, tag="guildhall.member.import-withdrawn.v1"):
    importer_id: UUID
    until: Instant


class ImportRestored(Event, frozen=True, tag="guildhall.member.import-restored.v1"):
    importer_id: UUID


# content


class ThreadOpened(Event, frozen=True, tag="guildhall.content.thread-opened.v1"):
    author_id: UUID | None


class ThreadDeleted(Event, frozen=True, tag="guildhall.content.thread-deleted.v1"):
    thread_id: UUID


class ReplyPosted(Event, frozen=True, tag="guildhall.content.reply-posted.v1"):
    reply_id: UUID
    thread_id: UUID
    thread_author_id: UUID | None
    author_id: UUID | None


class ReplyDeleted(Event, frozen=True, tag="guildhall.content.reply-deleted.v1"):
    reply_id: UUID


class CommentPosted(Event, frozen=True, tag="guildhall.content.comment-posted.v1"):
    comment_id: UUID
    target_id: UUID
    target_author_id: UUID | None
    author_id: UUID | None


class CommentDeleted(Event, frozen=True, tag="guildhall.content.comment-deleted.v1"):
    comment_id: UUID


class AnswerAccepted(Event, frozen=True, tag="guildhall.content.answer-accepted.v1"):
    reply_id: UUID
    accepted_by_id: UUID | None
    answer_author_id: UUID | None
    given_before: Instant | None = None


class AcceptanceWithdrawn(Event, frozen=True, tag="guildhall.content.acceptance-withdrawn.v1"):
    reply_id: UUID
    accepted_by_id: UUID | None
    answer_author_id: UUID | None
    accepted_at: Instant


# engagement


class ReactionAdded(Event, frozen=True, tag="guildhall.engagement.reaction-added.v1"):
    """`begins_response` is false where another reaction of its sign by the same member stands on the target."""

    target_id: UUID
    target_author_id: UUID | None
    actor_id: UUID | None
    positive: bool
    begins_response: bool = True
    given_before: Instant | None = None


class ReactionWithdrawn(Event, frozen=True, tag="guildhall.engagement.reaction-withdrawn.v1"):
    """`ends_response` is false where another of its sign stands on; `response_since` is None for `reacted_at`."""

    target_id: UUID
    target_author_id: UUID | None
    actor_id: UUID | None
    positive: bool
    reacted_at: Instant
    ends_response: bool = True
    response_since: Instant | None = None


class TargetViewed(Event, frozen=True, tag="guildhall.engagement.target-viewed.v1"):
    member_id: UUID | None


class TargetShared(Event, frozen=True, tag="guildhall.engagement.target-shared.v1"):
    target_id: UUID
    target_author_id: UUID | None
    member_id: UUID | None


# feedback


class SuggestionSubmitted(Event, frozen=True, tag="guildhall.feedback.suggestion-submitted.v1"):
    suggestion_id: UUID
    author_id: UUID | None


class SuggestionVoted(Event, frozen=True, tag="guildhall.feedback.suggestion-voted.v1"):
    voter_id: UUID | None
    given_before: Instant | None = None


class SuggestionAnswered(Event, frozen=True, tag="guildhall.feedback.suggestion-answered.v1"):
    suggestion_id: UUID


class SuggestionPlanned(Event, frozen=True, tag="guildhall.feedback.suggestion-planned.v1"):
    suggestion_id: UUID


class SuggestionCompleted(Event, frozen=True, tag="guildhall.feedback.suggestion-completed.v1"):
    suggestion_id: UUID


class SuggestionDeclined(Event, frozen=True, tag="guildhall.feedback.suggestion-declined.v1"):
    suggestion_id: UUID


class SuggestionDeleted(Event, frozen=True, tag="guildhall.feedback.suggestion-deleted.v1"):
    suggestion_id: UUID
