"""The lists of the member service do not depend on the order in which partitions arrive, nor on where batches end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.member import events
from services.member.communities import domain as communities
from services.member.communities.domain import COMMUNITY
from services.member.membership import domain as membership
from services.member.membership.domain import MEMBERSHIP
from services.member.profiles import domain as profiles
from services.member.read_models.community_list import COMMUNITY_LIST
from services.member.read_models.roster import ROSTER
from services.member.roles import domain as roles
from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import StreamDecision, change
from shared.events.catalogue import Catalogue
from shared.events.errors import Problem
from shared.events.identity import derived_id
from tests.doubles.log import MemoryLog
from tests.member.any_order import rows
from tests.member.people import ALICE, BOB, CAROL, DESCRIPTION, words

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIEWS = [COMMUNITY_LIST, ROSTER]
OWNER = roles.Holder(ALICE, frozenset({"owner"}))
HERE = membership.Membership("member", NOON, times_joined=1)

Steps = Sequence[StreamDecision[Any, Any]]


def something(die: Random, community: UUID) -> Steps:
    """What somebody might do in a community."""
    who = die.choice([ALICE, BOB, CAROL])
    number = die.randrange(9)
    of_member: list[Callable[[Any], list[Any]]] = [
        lambda state: membership.join(state, who),
        lambda state: membership.apply(state, who, None),
        change(MEMBERSHIP, lambda state: membership.accept(state, who)),
        change(MEMBERSHIP, lambda state: membership.decline(state, who, words(number))),
        change(MEMBERSHIP, lambda state: membership.leave(state, who)),
        change(MEMBERSHIP, lambda state: roles.remove(state, roles.Holder(who, state.roles), None, OWNER)),
        change(MEMBERSHIP, lambda state: membership.mark_robot(state, who)),
        change(MEMBERSHIP, lambda state: membership.unmark_robot(state, who)),
        lambda state: roles.grant(state, die.choice(["moderator", "administrator"]), who, OWNER),
        lambda state: roles.revoke(state, "moderator", who, OWNER),
    ]
    of_community: list[Callable[[Any], list[Any]]] = [
        lambda state: communities.found(state, str(community), DESCRIPTION, ALICE),
        change(COMMUNITY, lambda state: communities.describe(state, replace(DESCRIPTION, name=f"Garden {number}"))),
        change(COMMUNITY, lambda state: roles.grant_ownership(state, who, HERE, OWNER)),
        change(COMMUNITY, lambda state: roles.revoke_ownership(state, who, OWNER)),
    ]
    match die.randrange(4):
        case 0:
            return [StreamDecision(COMMUNITY, community, die.choice(of_community))]
        case 1:
            stream = profiles.profile_id(community, who)
            return [
                StreamDecision(
                    profiles.PROFILE, stream, lambda state: profiles.update(state, who, words(number), ["bio"])
                )
            ]
        case _:
            return [StreamDecision(MEMBERSHIP, membership.membership_id(community, who), die.choice(of_member))]


async def history(seed: int) -> MemoryLog:
    """A log in which a good deal has happened in two communities."""
    die, log = Random(seed), MemoryLog("member")
    commands = Commands(log, Catalogue.of(events))
    for minute in range(150):
        community = derived_id("community", die.choice(["garden", "orchard"]))
        act = CommandMetadata(community, ALICE, NOON + timedelta(minutes=minute))
        with suppress(Problem):
            await commands.execute_together(something(die, community), act=act)
    return log


@given(st.integers(0, 9), st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_the_lists_do_not_depend_on_the_order_of_arrival(seed: int, die: Random, limit: int) -> None:
    async def both() -> tuple[Any, Any]:
        log = await history(seed)
        return await rows(log, VIEWS, Random(0), 1_000), await rows(log, VIEWS, die, limit)

    in_order, in_any_order = asyncio.run(both())
    assert in_any_order == in_order
    assert all(in_order.values())
