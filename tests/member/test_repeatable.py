"""Any command of the member service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from services.member.communities import domain as communities
from services.member.membership import domain as membership
from services.member.profiles import domain as profiles
from services.member.roles import domain as roles
from services.member.roles.domain import Holder
from shared.commands.decisions import change
from shared.events.errors import Problem
from tests.given import NOON, folded
from tests.member.people import ALICE, BOB, CAROL, DESCRIPTION, words
from tests.repeatable import Command, assert_repeatable

people = st.sampled_from([ALICE, BOB, CAROL])
texts = st.builds(words, st.integers(1, 3))
maybe_texts = st.none() | texts
descriptions = st.builds(
    communities.Description,
    st.sampled_from(["Garden", "Gardens"]),
    st.just(DESCRIPTION.purpose),
    st.just("en"),
    st.just("UTC"),
    st.sampled_from(["public", "members"]),
    st.sampled_from(["open", "application"]),
)
granted = st.sampled_from(["administrator", "moderator"])
holders = st.builds(Holder, people, st.frozensets(st.sampled_from(["owner", "administrator", "moderator"])))
members = st.sampled_from([None, membership.Membership("member", NOON, times_joined=1)])

community_changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda d: lambda s: communities.describe(s, d), descriptions),
    st.just(communities.archive),
    st.builds(lambda who, m, by: lambda s: roles.grant_ownership(s, who, m, by), people, members, holders),
    st.builds(lambda who, by: lambda s: roles.revoke_ownership(s, who, by), people, holders),
    st.builds(lambda who: lambda s: communities.without_ownership(s, who), people),
)
of_community: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda d, who: lambda s: communities.found(s, "garden", d, who, founder_is_member=True),
        descriptions,
        people,
    ),
    community_changes.map(partial(change, communities.COMMUNITY)),
)
membership_changes: st.SearchStrategy[Command] = st.one_of(
    st.just(lambda s: membership.accept(s, BOB)),
    st.builds(lambda reason: lambda s: membership.decline(s, BOB, reason), maybe_texts),
    st.just(lambda s: membership.leave(s, BOB)),
    st.just(lambda s: membership.mark_robot(s, BOB)),
    st.just(lambda s: membership.unmark_robot(s, BOB)),
    st.builds(lambda reason, by: lambda s: roles.remove(s, Holder(BOB, s.roles), reason, by), maybe_texts, holders),
)
of_membership: st.SearchStrategy[Command] = st.one_of(
    st.just(lambda s: membership.join_as_founder(s, BOB)),
    st.just(lambda s: membership.join(s, BOB)),
    st.builds(lambda answers: lambda s: membership.apply(s, BOB, answers), maybe_texts),
    st.builds(lambda robot: lambda s: membership.bring_in(s, BOB, robot=robot), st.booleans()),
    st.builds(lambda role, by: lambda s: roles.grant(s, role, BOB, by), granted, holders),
    st.builds(lambda role, by: lambda s: roles.revoke(s, role, BOB, by), granted, holders),
    membership_changes.map(partial(change, membership.MEMBERSHIP)),
)
of_profile: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda text, fields: lambda s: profiles.update(s, BOB, text, fields),
        texts,
        st.lists(st.sampled_from(["bio", "skills"]), unique=True),
    ),
    st.builds(lambda number: lambda s: profiles.empty(s, BOB, words(number, 0)), st.integers(4, 6)),
)


@given(st.lists(of_community, max_size=12))
def test_every_command_on_a_community_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(communities.COMMUNITY, commands)


@given(st.lists(of_membership, max_size=12))
def test_every_command_on_a_membership_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(membership.MEMBERSHIP, commands)


@given(st.lists(of_profile, max_size=6))
def test_every_command_on_a_profile_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(profiles.PROFILE, commands)


@given(st.lists(of_community, max_size=20))
def test_a_founded_community_always_has_an_owner(commands: list[Command]) -> None:
    state = None
    for command in commands:
        try:
            state = folded(communities.COMMUNITY, command(state), state)
        except Problem:
            continue
        assert state.owners
