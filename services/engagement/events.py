"""Every event of the engagement service: reactions, views and shares of what is in the content service.

A target is a thread, a reply or a comment; `target_author_id` is who wrote it, None where nobody is known. Kinds and
media are open strings here: a reader lets one pass that it does not know.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event, Instant


class ReactionAdded(Event, frozen=True, tag="guildhall.engagement.reaction-added.v1"):
    """`actor_id` is None for a reaction that was brought in without its giver.

    A member's reactions to one thing are of one sign and together one response: `begins_response` where none stood.
    `given_before` is when the member gave the same last, which was taken back since; a day counts it once.
    """

    reaction_id: UUID
    target_id: UUID
    target_kind: str
    target_author_id: UUID | None
    actor_id: UUID | None
    kind: str
    positive: bool
    begins_response: bool = True
    given_before: Instant | None = None


class ReactionWithdrawn(Event, frozen=True, tag="guildhall.engagement.reaction-withdrawn.v1"):
    """`reacted_at` is when the reaction that is taken back was given, so that a reader undoes it on its own day.

    `ends_response` where it was the last that stood; the response had begun at `response_since`.
    """

    reaction_id: UUID
    target_id: UUID
    target_kind: str
    target_author_id: UUID | None
    actor_id: UUID | None
    kind: str
    positive: bool
    reacted_at: Instant
    ends_response: bool = True
    response_since: Instant | None = None


class TargetViewed(Event, frozen=True, tag="guildhall.engagement.target-viewed.v1"):
    """A member looked at something; once per member, target and hour. `hour` is that hour's beginning in UTC."""

    target_id: UUID
    target_kind: str
    target_author_id: UUID | None
    member_id: UUID
    hour: Instant


class TargetShared(Event, frozen=True, tag="guildhall.engagement.target-shared.v1"):
    """A member told somebody outside about something; once per member, target and day of the community.

    `medium` is link, mail, chat, social or other.
    """

    share_id: UUID
    target_id: UUID
    target_kind: str
    target_author_id: UUID | None
    member_id: UUID
    medium: str
