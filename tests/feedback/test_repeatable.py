"""Any command of the feedback service may be retried at will: what it did once, it does not do again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from services.feedback.suggestions import domain as suggestions
from services.feedback.votes import domain as votes
from shared.commands.decisions import change
from tests.feedback.samples import ALICE, BOB, OPEN, SUBMITTED, words
from tests.repeatable import Command, assert_repeatable, begins

texts = st.builds(words, st.integers(1, 3))
maybe_texts = st.none() | texts
states: tuple[suggestions.State, ...] = ("open", *get_args(suggestions.Decision))
actors = st.builds(suggestions.Actor, st.sampled_from([ALICE, BOB]), st.booleans(), st.booleans())
in_any_state = st.sampled_from([replace(OPEN, state=state) for state in states])

changes: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda text: lambda s: suggestions.answer(s, text), texts),
    st.builds(
        lambda to, text: lambda s: suggestions.decide(to, s, text),
        st.sampled_from(get_args(suggestions.Decision)),
        maybe_texts,
    ),
    st.builds(lambda by: lambda s: suggestions.delete(s, by), actors),
)
of_suggestion = st.just(begins(SUBMITTED)) | changes.map(partial(change, suggestions.SUGGESTION))
of_vote: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda suggestion: lambda s: votes.vote(s, suggestion, BOB), in_any_state),
    st.builds(lambda suggestion: lambda s: votes.withdraw(s, suggestion, suggestions.Actor(BOB)), in_any_state),
)


@given(st.lists(of_suggestion, max_size=12))
def test_every_command_on_a_suggestion_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(suggestions.SUGGESTION, commands)


@given(st.lists(of_vote, max_size=12))
def test_every_command_on_a_vote_may_be_repeated(commands: list[Command]) -> None:
    assert_repeatable(votes.VOTE, commands)
