"""Any command of the engagement service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.engagement.reactions import domain as reactions
from services.engagement.shares import domain as shares
from services.engagement.shares.domain import Medium
from services.engagement.visits import domain as visits
from shared.history import Occasion
from tests.engagement.samples import ALICE, BOB, DELETED, LIKE, NOBODYS, NOON, QUESTION, ROSES, WATER
from tests.repeatable import Command, assert_repeatable

targets = st.sampled_from([None, QUESTION, DELETED])
of_reaction: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda target: lambda s: reactions.react(s, LIKE, target, BOB, "like", positive=True), targets),
    st.builds(
        lambda number: lambda s: reactions.withdraw(s, Occasion(number, NOON) if number else None),
        st.integers(0, 4),
    ),
)
of_visit: st.SearchStrategy[Command] = st.builds(lambda target: lambda s: visits.visit(s, target, BOB, NOON), targets)
of_share: st.SearchStrategy[Command] = st.builds(
    lambda aim, who, medium: lambda s: shares.share(s, LIKE, aim[0], aim[1], who, medium),
    st.sampled_from([(ROSES, QUESTION), (ROSES, DELETED), (WATER, NOBODYS), (WATER, None)]),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(Medium),
)


@given(st.lists(of_reaction, max_size=12))
def test_every_command_on_a_reaction_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(reactions.REACTION, commands)


@given(st.lists(of_visit, max_size=6))
def test_every_command_on_a_view_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(visits.VISIT, commands)


@given(st.lists(of_share, max_size=6))
def test_every_command_on_a_share_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(shares.SHARE, commands)
