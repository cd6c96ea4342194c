"""Who acts, and what for, is asked again in the decision, of the streams that say so, and not only at the door.

The door believes what a moment ago was true. A decision that names `bases` rests on the streams themselves, and takes
effect only while they are as it saw them: what follows a revocation in the log was not done by the role that it took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from services.member.communities.domain import COMMUNITY, Community
from services.member.membership.domain import MEMBERSHIP, Membership, membership_id
from services.member.roles.domain import Holder, holder
from shared.commands.decisions import Basis
from shared.replicas import standing as access
from shared.web.access.permissions import CallerInCommunity
from shared.web.access.policy import Requirement, refusal

E = TypeVar("E")


def bases(me: CallerInCommunity, *others: UUID) -> list[Basis]:
    """What rights here rest on: the community, the caller's membership and those of `others`, in this order."""
    at = me.community.id
    return [(COMMUNITY, at), *((MEMBERSHIP, membership_id(at, member)) for member in (me.id, *others))]


def confirmed(
    me: CallerInCommunity, community: Community | None, own: Membership | None, asked: Requirement | None = None
) -> Holder:
    """The caller, with the roles of the log. Raises what the policy says where they lack what is `asked` (as the route
    does, without it).
    """
    community = COMMUNITY.existing(community)
    described, by = community.description, holder(me.id, community, own)
    known = access.Community(
        me.community.id,
        community.slug,
        cast("access.Visibility", described.visibility),
        cast("access.Admission", described.admission),
        described.time_zone,
        community.archived,
    )
    asked = me.asked if asked is None else asked
    refused = refusal(asked, me.caller.scopes, known, access.Standing(own.status if own else "none", by.roles))
    if refused is not None:
        raise refused
    return by


def permitted(
    me: CallerInCommunity, decide: Callable[..., list[E]], asked: Requirement | None = None
) -> Callable[..., list[E]]:
    """The decision of a command that rests on `bases(here)`, made for who may, as `confirmed`; it is not given them."""

    def decided(state: Any, community: Community, own: Membership | None) -> list[E]:
        confirmed(me, community, own, asked)
        return decide(state)

    return decided
