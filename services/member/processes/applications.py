"""An application that nobody decides is spoken of each day, and expires after the days that the community takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from services.member.communities.domain import COMMUNITY, Community
from services.member.events import ApplicationSubmitted, ApplicationWaits
from services.member.membership.domain import (
    MEMBERSHIP,
    Membership,
    MembershipEvent,
    expire,
    membership_id,
    remind,
)
from shared.commands.decisions import Basis
from shared.events.decider import Decider
from shared.events.event import Recorded
from shared.processes.process_manager import OutgoingCommand, Timer
from shared.projections.read_model import process_manager


class _OfApplication(OutgoingCommand, frozen=True):
    member_id: UUID
    applied_at: datetime

    def target(self, community: UUID) -> tuple[Decider[Membership, MembershipEvent], UUID]:
        return MEMBERSHIP, membership_id(community, self.member_id)

    def on(self, community: UUID) -> Sequence[Basis]:
        return [(COMMUNITY, community)]


class RemindOfApplication(_OfApplication, frozen=True):
    def decide(self, state: Membership | None, at: datetime, *bases: Any) -> list[Any]:
        community: Community = bases[0]
        return remind(state, community, self.member_id, self.applied_at, at)


class ExpireApplication(_OfApplication, frozen=True):
    def decide(self, state: Membership | None, at: datetime, *bases: Any) -> list[Any]:
        community: Community = bases[0]
        return expire(state, community, self.member_id, self.applied_at)


def react(event: ApplicationSubmitted | ApplicationWaits, record: Recorded) -> Iterator[Timer]:
    match event:
        case ApplicationSubmitted(member_id=member):
            if event.reminds_at is not None:
                yield Timer(event.reminds_at, RemindOfApplication(member, record.occurred_at))
            if event.expires_at is not None:
                yield Timer(event.expires_at, ExpireApplication(member, record.occurred_at))
        case ApplicationWaits(member_id=member, applied_at=applied_at, again_at=again_at):
            yield Timer(again_at, RemindOfApplication(member, applied_at))
        case _:
            assert_never(event)


APPLICATIONS = process_manager("applications", react, [RemindOfApplication, ExpireApplication])
