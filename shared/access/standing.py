"""What has to be known of a community and of somebody in it to decide what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
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
    """What somebody is in a community: member, applicant, withdrawn, declined, left, removed, or none for nobody."""

    status: str
    roles: frozenset[str]


NOBODY = Standing("none", frozenset())
