"""Every event of the member service: who is here, what the community is, who holds which role.

Enumerations are open strings here and closed in the commands, so that a new value breaks no reader.
"""

from __future__ import annotations

from uuid import UUID

from shared.events.event import Event, Instant, Text


class CommunityFounded(Event, frozen=True, tag="guildhall.member.community-founded.v1"):
    slug: str
    name: str
    purpose: str
    language: str
    time_zone: str
    visibility: str
    admission: str
    founder_id: UUID
    application_days: int = 0


class CommunityDescribed(Event, frozen=True, tag="guildhall.member.community-described.v1"):
    """The whole new description, so that a reader needs no older event."""

    name: str
    purpose: str
    language: str
    time_zone: str
    visibility: str
    admission: str
    application_days: int = 0


class CommunityArchived(Event, frozen=True, tag="guildhall.member.community-archived.v1"):
    """Nothing is written in the community any more; it can be read."""


class MemberJoined(Event, frozen=True, tag="guildhall.member.member-joined.v1"):
    """`via` is `open`, `application`, `founding` or `rejoining`; `number_of_times` is 1 at the first joining."""

    member_id: UUID
    via: str
    number_of_times: int


class ApplicationSubmitted(Event, frozen=True, tag="guildhall.member.application-submitted.v1"):
    """It expires at a time that follows from what the community said then; null where it waits for ever."""

    member_id: UUID
    answers: Text | None
    expires_at: Instant | None = None
    reminds_at: Instant | None = None


class ApplicationWaits(Event, frozen=True, tag="guildhall.member.application-waits.v1"):
    """Nobody has decided the application of then for days; said once a day, and again at `again_at`."""

    member_id: UUID
    applied_at: Instant
    again_at: Instant


class ApplicationExpired(Event, frozen=True, tag="guildhall.member.application-expired.v1"):
    """Nobody has decided the application within the days that the community takes."""

    member_id: UUID


class ApplicationWithdrawn(Event, frozen=True, tag="guildhall.member.application-withdrawn.v1"):
    """The applicant took the application back before anybody decided it."""

    member_id: UUID


class ApplicationAccepted(Event, frozen=True, tag="guildhall.member.application-accepted.v1"):
    """`MemberJoined` follows it in the same append."""

    member_id: UUID


class ApplicationDeclined(Event, frozen=True, tag="guildhall.member.application-declined.v1"):
    member_id: UUID
    reason: Text | None


class MemberLeft(Event, frozen=True, tag="guildhall.member.member-left.v1"):
    """The member's roles were revoked before it, in the same append."""

    member_id: UUID


class MemberRemoved(Event, frozen=True, tag="guildhall.member.member-removed.v1"):
    """Somebody who may sent the member away. The member's roles were revoked before it, in the same append."""

    member_id: UUID
    removed_by_id: UUID | None
    reason: Text | None


class ImportWithdrawn(Event, frozen=True, tag="guildhall.member.import-withdrawn.v1"):
    """What a member brought in up to `until`, by recorded time, counts no more, also on the days before.

    On the community's stream. It takes the place of an earlier one of the same importer.
    """

    importer_id: UUID
    until: Instant


class ImportRestored(Event, frozen=True, tag="guildhall.member.import-restored.v1"):
    """What the member brought in counts as if it had never been withdrawn."""

    importer_id: UUID


class RobotMarked(Event, frozen=True, tag="guildhall.member.robot-marked.v1"):
    """The account is a program's, also for the time before: it is in no ranking, no active members, no reach."""

    member_id: UUID


class RobotUnmarked(Event, frozen=True, tag="guildhall.member.robot-unmarked.v1"):
    """The mark was an error, also for the time before."""

    member_id: UUID


class MemberErased(Event, frozen=True, tag="guildhall.member.member-erased.v1"):
    """Every service erases what this member wrote here and what names them, and keeps no more of it.

    The member stays what they are in every number.
    """

    member_id: UUID


class ProfileUpdated(Event, frozen=True, tag="guildhall.member.profile-updated.v1"):
    """The whole new profile; `fields` names those that have words in it."""

    member_id: UUID
    profile: Text
    fields: list[str]


class RoleGranted(Event, frozen=True, tag="guildhall.member.role-granted.v1"):
    """On the community's stream for `owner`, on the membership's for every other role."""

    member_id: UUID
    role: str


class RoleRevoked(Event, frozen=True, tag="guildhall.member.role-revoked.v1"):
    """On the community's stream for `owner`, on the membership's for every other role."""

    member_id: UUID
    role: str


UNREAD: dict[type[Event], str] = {ApplicationAccepted: "MemberJoined follows it in the same append, and says who."}
"""Events that no read model takes, each with why; `make check` knows of the others that somebody reads them."""
