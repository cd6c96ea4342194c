"""Any command of the engagement service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.engagement.reactions import domain as reactions
from services.engagement.reactions.kinds import SIGNS
from services.engagement.shares import domain as shares
from services.engagement.shares.domain import Medium
from services.engagement.visits import domain as visits
from tests.engagement.samples import ALICE, BOB, DELETED, LIKE, NOBODYS, NOON, QUESTION
from tests.repeatable import Command, assert_repeatable

targets = st.sampled_from([None, QUESTION, DELETED])
kinds = st.sampled_from(["like", "love", "dislike", "unhelpful"])
moments = st.builds(lambda minutes: NOON + timedelta(minutes=minutes), st.integers(0, 12))
of_reaction: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda target, kind: lambda s: reactions.react(s, LIKE, target, BOB, kind, positive=SIGNS[kind]), targets, kinds
    ),
    st.builds(
        lambda target, kind, at: (
            lambda s: reactions.bring_in(
                s and replace(s, here_at=None), LIKE, target, BOB, kind, positive=SIGNS[kind], at=at
            )
        ),
        targets,
        kinds,
        moments,
    ),
    st.builds(lambda kind: lambda s: reactions.withdraw(s, kind), kinds),
)
of_visit: st.SearchStrategy[Command] = st.builds(lambda target: lambda s: visits.visit(s, target, BOB, NOON), targets)
of_share: st.SearchStrategy[Command] = st.builds(
    lambda aim, who, medium: lambda s: shares.share(s, LIKE, aim, who, medium),
    st.sampled_from([QUESTION, DELETED, NOBODYS, None]),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(Medium),
)


@given(st.lists(of_reaction, max_size=12))
def test_every_command_on_a_reaction_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(reactions.REACTIONS, commands)


@given(st.lists(of_visit, max_size=6))
def test_every_command_on_a_view_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(visits.VISIT, commands)


@given(st.lists(of_share, max_size=6))
def test_every_command_on_a_share_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(shares.SHARE, commands)
