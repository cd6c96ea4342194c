"""What has to be known of a community and of somebody in it to decide what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Visibility = Literal["public", "members"]
Admission = Literal["open", "application"]


@dataclass(frozen=True, slots=True)
class Community:
    id: UUID
    slug: str
    visibility: Visibility
    admission: Admission
    time_zone: str
    archived: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is in a community: `status` is member, applicant, withdrawn, declined, left, removed or none.

    `turns` are the joinings (True) and leavings (False) with their times, in the order of time.
    """

    status: str
    roles: frozenset[str]
    turns: tuple[tuple[datetime, bool], ...] = ()

    def might_act_at(self, moment: datetime) -> bool:
        """Whether somebody who was ever a member here had not left at that time, or had come back.

        The time before the first joining counts as theirs: what is brought in may be older than its author's account.
        """
        before = [joined for at, joined in self.turns if at <= moment]
        if before:
            return before[-1]
        return self.status == "member" or any(joined for _, joined in self.turns)


NOBODY = Standing("none", frozenset())
