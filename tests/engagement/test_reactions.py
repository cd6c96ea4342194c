"""Reactions: one of each kind per member and target, taken back and given again."""

from __future__ import annotations

import pytest

from services.engagement.events import ReactionAdded
from services.engagement.reactions.domain import REACTION, Reaction, react, reaction_id, withdraw
from services.engagement.reactions.kinds import SIGNS, Kind
from services.engagement.targets import Target
from shared.errors import Conflict, NotFound
from shared.history import Occasion
from tests.engagement.samples import ALICE, BOB, DELETED, LIKE, LIKED, NOBODYS, NOON, QUESTION, ROSES, UNLIKED, WATER

FIRST = Occasion(1, NOON)


def like(state: Reaction, target: Target | None = QUESTION) -> list[object]:
    return [*react(state, LIKE, target, BOB, "like", positive=True)]


def test_a_member_reacts_to_what_somebody_wrote() -> None:
    assert like(Reaction()) == [LIKED]


def test_a_member_reacts_once_even_where_the_target_was_deleted_since() -> None:
    assert like(REACTION.fold([LIKED])) == like(REACTION.fold([LIKED]), DELETED) == []


def test_nobody_reacts_to_what_was_deleted_or_never_was() -> None:
    with pytest.raises(Conflict):
        like(Reaction(), DELETED)
    with pytest.raises(NotFound):
        like(Reaction(), None)


def test_a_member_may_react_to_their_own_work() -> None:
    own = reaction_id(ROSES, ALICE, "like")
    assert react(Reaction(), own, QUESTION, ALICE, "like", positive=True) == [
        ReactionAdded(own, ROSES, "thread", ALICE, ALICE, "like", True)
    ]


def test_a_vote_that_was_brought_in_may_have_no_giver_and_no_receiver() -> None:
    assert react(Reaction(), LIKE, NOBODYS, None, "down", positive=False) == [
        ReactionAdded(LIKE, WATER, "reply", None, None, "down", False)
    ]


def test_a_reaction_is_taken_back_with_the_time_it_was_given_and_may_be_given_again() -> None:
    assert withdraw(REACTION.fold([LIKED]), FIRST) == [UNLIKED]
    assert withdraw(REACTION.fold([LIKED, UNLIKED]), FIRST) == []
    assert like(REACTION.fold([LIKED, UNLIKED])) == [LIKED]


def test_a_reaction_that_was_never_given_is_not_taken_back() -> None:
    assert withdraw(Reaction(), None) == []


def test_a_reaction_given_again_is_not_taken_back_at_the_time_of_the_first() -> None:
    twice = REACTION.fold([LIKED, UNLIKED, LIKED])
    for outdated in (FIRST, None):
        with pytest.raises(Conflict):
            withdraw(twice, outdated)
    assert withdraw(twice, Occasion(2, NOON)) == [UNLIKED]


def test_each_member_target_and_kind_is_a_stream_of_its_own() -> None:
    streams = {reaction_id(t, m, k) for t in (ROSES, WATER) for m in (ALICE, BOB) for k in ("like", "love")}
    assert len(streams) == 8


def test_every_kind_has_a_sign() -> None:
    assert {kind: SIGNS[kind] for kind in Kind} == {
        Kind.LIKE: True,
        Kind.LOVE: True,
        Kind.HELPFUL: True,
        Kind.INSIGHTFUL: True,
        Kind.CELEBRATE: True,
        Kind.DISLIKE: False,
        Kind.UNHELPFUL: False,
    }
    assert (SIGNS["up"], SIGNS["down"]) == (True, False)
