"""Every event of the feedback service: what members suggest, who supports it, what becomes of it.

`author_id` is None where the suggestion is anonymous; such an event's envelope names no actor either, and its words
are in the vault under nobody, so that nothing that is stored leads back to who wrote it.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event, Instant, Text


class SuggestionSubmitted(Event, frozen=True, tag="guildhall.feedback.suggestion-submitted.v1"):
    suggestion_id: UUID
    author_id: UUID | None
    anonymous: bool
    text: Text | None
    edited_at: Instant | None = None
    """When the words had been edited last elsewhere, before they were brought in."""


class SuggestionEdited(Event, frozen=True, tag="guildhall.feedback.suggestion-edited.v1"):
    """`text` is the whole of what stands now."""

    suggestion_id: UUID
    author_id: UUID | None
    text: Text


class SuggestionVoted(Event, frozen=True, tag="guildhall.feedback.suggestion-voted.v1"):
    """`given_before` is when the voter gave it last, where it was taken back since; a day counts it once."""

    suggestion_id: UUID
    author_id: UUID | None
    voter_id: UUID
    given_before: Instant | None = None


class SuggestionVoteWithdrawn(Event, frozen=True, tag="guildhall.feedback.suggestion-vote-withdrawn.v1"):
    """`voted_at` is when the vote that is taken back was given, so that a reader can undo it on its own day."""

    suggestion_id: UUID
    author_id: UUID | None
    voter_id: UUID
    voted_at: Instant


class SuggestionAnswered(Event, frozen=True, tag="guildhall.feedback.suggestion-answered.v1"):
    """The first answer or a revised one."""

    suggestion_id: UUID
    author_id: UUID | None
    text: Text


class SuggestionPlanned(Event, frozen=True, tag="guildhall.feedback.suggestion-planned.v1"):
    suggestion_id: UUID
    author_id: UUID | None
    reason: Text | None


class SuggestionCompleted(Event, frozen=True, tag="guildhall.feedback.suggestion-completed.v1"):
    suggestion_id: UUID
    author_id: UUID | None
    reason: Text | None


class SuggestionDeclined(Event, frozen=True, tag="guildhall.feedback.suggestion-declined.v1"):
    suggestion_id: UUID
    author_id: UUID | None
    reason: Text | None


class SuggestionDeleted(Event, frozen=True, tag="guildhall.feedback.suggestion-deleted.v1"):
    """By its author or a moderator, for good."""

    suggestion_id: UUID
    author_id: UUID | None
