"""Reactions: one of each kind per member and target, all of one sign, and together one response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.engagement.events import ReactionAdded, ReactionWithdrawn
from services.engagement.reactions.domain import (
    NONE,
    REACTIONS,
    ReactionEvent,
    Reactions,
    bring_in,
    react,
    reaction_id,
    reactions_id,
    withdraw,
)
from services.engagement.reactions.kinds import SIGNS, Kind
from services.engagement.targets import Target
from shared.events.errors import Conflict, NotFound
from tests.engagement.samples import ALICE, BOB, DELETED, LIKE, LIKED, NOBODYS, QUESTION, ROSES, UNLIKED, WATER
from tests.given import folded

Decision = Callable[[Reactions | None], list[ReactionEvent]]


def day(number: int) -> datetime:
    return datetime(2026, 3, number, 12, tzinfo=UTC)


def give(kind: str, target: Target | None = QUESTION) -> Decision:
    reaction = reaction_id(ROSES, BOB, kind)
    return lambda state: react(state, reaction, target, BOB, kind, positive=SIGNS[kind])


def take(kind: str) -> Decision:
    return lambda state: withdraw(state, kind)


@dataclass(frozen=True, slots=True)
class line:  # noqa: N801 - reads as the other decisions
    """The same, of a backfill's line of that day."""

    kind: str
    number: int

    def __call__(self, state: Reactions | None) -> list[ReactionEvent]:
        reaction, positive = reaction_id(ROSES, BOB, self.kind), SIGNS[self.kind]
        return bring_in(state, reaction, QUESTION, BOB, self.kind, positive=positive, at=day(self.number))


def after(*happened: tuple[int, Decision]) -> tuple[Reactions, list[tuple[int, ReactionEvent]]]:
    """The state after decisions of those days, and all that came of them."""
    state: Reactions | None = None
    told: list[tuple[int, ReactionEvent]] = []
    for number, decide in happened:
        events = decide(state)
        state = folded(REACTIONS, events, state, day(number), imported_by=ALICE if isinstance(decide, line) else None)
        told += [(number, event) for event in events]
    return state or NONE, told


def responses(told: list[tuple[int, ReactionEvent]]) -> list[tuple[bool, int, int | None]]:
    """As a reader of the events sees them: sign, the day each began, the day it ended."""
    begun: list[tuple[bool, int, int | None]] = []
    for number, event in told:
        if isinstance(event, ReactionAdded) and event.begins_response:
            begun.append((event.positive, number, None))
        if isinstance(event, ReactionWithdrawn) and event.ends_response:
            assert event.response_since is not None
            begun.remove((event.positive, event.response_since.day, None))
            begun.append((event.positive, event.response_since.day, number))
    return begun


def test_a_member_reacts_to_what_somebody_wrote() -> None:
    assert give("like")(None) == [LIKED]


def test_a_member_reacts_once_even_where_the_target_was_deleted_since() -> None:
    liked, _ = after((1, give("like")))
    assert give("like")(liked) == give("like", DELETED)(liked) == []


def test_nobody_reacts_to_what_was_deleted_or_never_was() -> None:
    with pytest.raises(Conflict):
        give("like", DELETED)(None)
    with pytest.raises(NotFound):
        give("like", None)(None)


def test_a_member_may_react_to_their_own_work() -> None:
    own = reaction_id(ROSES, ALICE, "like")
    assert react(None, own, QUESTION, ALICE, "like", positive=True) == [
        ReactionAdded(own, ROSES, "thread", ALICE, ALICE, "like", True)
    ]


def test_a_vote_that_was_brought_in_may_have_no_giver_and_no_receiver() -> None:
    assert react(None, LIKE, NOBODYS, None, "down", positive=False) == [
        ReactionAdded(LIKE, WATER, "reply", None, None, "down", False)
    ]


def test_a_reaction_is_taken_back_with_the_time_it_was_given_and_may_be_given_again() -> None:
    state, told = after((1, give("like")), (1, take("like")), (1, take("like")), (2, give("like")), (3, take("like")))
    assert [event for _, event in told][:3] == [LIKED, UNLIKED, replace(LIKED, given_before=day(1))]
    assert responses(told) == [(True, 1, 1), (True, 2, 3)]
    assert not state.current


def test_a_reaction_given_again_says_when_the_same_kind_was_given_before_whatever_took_it_away() -> None:
    for takes_away in (take("like"), give("dislike"), line("dislike", 2)):
        _, told = after(
            (1, line("like", 1)), (2, takes_away), (3, give("like")), (4, take("like")), (5, line("like", 5))
        )
        likes = [event for _, event in told if isinstance(event, ReactionAdded) and event.kind == "like"]
        assert [event.given_before for event in likes] == [None, day(1), day(3)]
    _, others = after((1, give("like")), (1, give("love")), (2, take("love")), (3, give("helpful")))
    assert {event.given_before for _, event in others if isinstance(event, ReactionAdded)} == {None}


def test_a_reaction_that_was_never_given_is_not_taken_back() -> None:
    assert take("like")(None) == []
    assert take("love")(after((1, give("like")))[0]) == []


@pytest.mark.parametrize("before", [["like"], ["like", "love"], ["like", "love", "helpful", "insightful", "celebrate"]])
@pytest.mark.parametrize("other", ["dislike", "unhelpful"])
def test_the_other_sign_takes_the_place_of_everything_that_stands(before: list[str], other: str) -> None:
    state, told = after(*((1, give(kind)) for kind in before), (2, give(other)))
    assert list(state.current) == [other]
    assert [(type(e), e.kind) for n, e in told if n == 2] == [
        *((ReactionWithdrawn, kind) for kind in before),
        (ReactionAdded, other),
    ]
    assert responses(told) == [(True, 1, 2), (False, 2, None)]


def test_there_and_back_again_is_one_response_after_the_other() -> None:
    state, told = after((1, give("dislike")), (2, give("love")), (3, give("unhelpful")), (4, give("like")))
    assert list(state.current) == ["like"]
    assert responses(told) == [(False, 1, 2), (True, 2, 3), (False, 3, 4), (True, 4, None)]


def test_several_kinds_of_one_sign_are_one_response_from_the_first_to_the_last() -> None:
    state, told = after((1, give("like")), (2, give("love")), (3, take("like")))
    assert (list(state.current), responses(told)) == (["love"], [(True, 1, None)])
    _, told = after((1, give("like")), (2, give("love")), (3, take("like")), (5, take("love")))
    assert responses(told) == [(True, 1, 5)]
    assert told[-1][1] == ReactionWithdrawn(
        reaction_id(ROSES, BOB, "love"), ROSES, "thread", ALICE, BOB, "love", True, day(2), True, day(1)
    )


def test_the_other_sign_does_not_take_its_place_on_what_was_deleted() -> None:
    state, _ = after((1, give("like")))
    with pytest.raises(Conflict):
        give("dislike", DELETED)(state)


def test_each_member_and_target_is_a_stream_of_its_own_and_each_kind_a_reaction() -> None:
    assert len({reactions_id(t, m) for t in (ROSES, WATER) for m in (ALICE, BOB)}) == 4
    assert len({reaction_id(t, m, k) for t in (ROSES, WATER) for m in (ALICE, BOB) for k in ("like", "love")}) == 8


def test_lines_in_the_order_of_time_are_what_members_do() -> None:
    _, lived = after((1, give("like")), (2, give("dislike")), (3, give("love")))
    assert after((1, line("like", 1)), (2, line("dislike", 2)), (3, line("love", 3)))[1] == lived


def test_a_line_that_comes_late_does_not_take_the_place_of_what_was_given_after_it() -> None:
    state, told = after((5, line("like", 5)), (3, line("dislike", 3)))
    assert list(state.current) == ["like"]
    assert [event.kind for _, event in told if isinstance(event, ReactionAdded)] == ["like", "dislike"]
    assert responses(told) == [(True, 5, None)]


def test_a_line_that_comes_late_joins_what_stands_of_its_sign() -> None:
    state, told = after((2, line("love", 2)), (1, line("like", 1)))
    assert set(state.current) == {"like", "love"}
    assert responses(told) == [(True, 2, None)]


def test_a_line_does_not_bring_back_what_was_taken_back_after_it() -> None:
    for kind in ("like", "love"):
        state, told = after((1, line("like", 1)), (9, take("like")), (4, line(kind, 4)))
        assert not state.current
        assert responses(told) == [(True, 1, 9)]


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(SIGNS)), st.integers(1, 6)),
        min_size=1,
        max_size=5,
        unique_by=lambda one: one[0],
    ),
    st.integers(0, 5),
    st.sampled_from(sorted(SIGNS)),
)
def test_lines_in_any_order_leave_one_sign_and_one_response_at_a_time_and_are_repeated(
    lines: list[tuple[str, int]], when: int, taken: str
) -> None:
    acts: list[tuple[int, Decision]] = [(number, line(kind, number)) for kind, number in lines]
    acts.insert(min(when, len(acts)), (20, take(taken)))
    state, told = after(*acts)
    again, more = after(*acts, *((number, line(kind, number)) for kind, number in lines))

    assert len({given.added.positive for given in state.current.values()}) <= 1
    assert (again, more) == (state, told)
    spans = responses(told)
    assert sum(end is None for _, _, end in spans) == bool(state.current)
    for one, other in permutations(spans, 2):
        assert one[2] is not None or other[2] is not None
        assert not (one[1] < other[1] < (one[2] or 99)), spans


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
