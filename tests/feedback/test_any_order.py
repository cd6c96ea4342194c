"""The suggestion board does not depend on the order in which partitions arrive, nor on where batches end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.feedback import events
from services.feedback.events import SuggestionSubmitted
from services.feedback.read_models.suggestion_board import SUGGESTION_BOARD
from services.feedback.suggestions import domain as suggestions
from services.feedback.votes import domain as votes
from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import change, creation
from shared.events.catalogue import Catalogue
from shared.events.errors import Problem
from tests.doubles.log import MemoryLog
from tests.feedback.samples import ALICE, BENCHES, BOB, words
from tests.member.any_order import rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GARDEN = UUID(int=9)
IDEAS = [BENCHES, UUID(int=11), UUID(int=12)]
VOTERS = [ALICE, BOB, *(UUID(int=100 + number) for number in range(4))]


async def history(seed: int) -> MemoryLog:
    """A log in which members have submitted, voted and decided a good deal."""
    die, log = Random(seed), MemoryLog("feedback")
    commands = Commands(log, Catalogue.of(events))
    for minute in range(150):
        act = CommandMetadata(GARDEN, ALICE, NOON + timedelta(minutes=minute))
        idea, voter, text = die.choice(IDEAS), die.choice(VOTERS), words(die.randrange(5))
        on_idea: list[Callable[[Any], list[Any]]] = [
            partial(suggestions.answer, text=text),
            partial(suggestions.decide, "planned", reason=text),
        ]
        if minute > 120:
            settled: list[suggestions.Decision] = ["completed", "declined"]
            on_idea += [partial(suggestions.decide, decision, reason=text) for decision in settled]
            on_idea += [partial(suggestions.delete, by=suggestions.Actor(voter))]
        with suppress(Problem):
            if die.random() < 0.1:
                submitted = SuggestionSubmitted(idea, ALICE, False, text)
                await commands.execute_together([creation(suggestions.SUGGESTION, idea, submitted)], act=act)
            elif die.random() < 0.3:
                decide = change(suggestions.SUGGESTION, die.choice(on_idea))
                await commands.execute(suggestions.SUGGESTION, idea, decide, act=act)
            else:
                suggestion = (await commands.load(suggestions.SUGGESTION, idea)).state
                on_vote: list[Callable[[Any], list[Any]]] = [
                    partial(votes.vote, suggestion=suggestion, voter_id=voter),
                    partial(votes.withdraw, suggestion=suggestion, by=suggestions.Actor(voter)),
                ]
                await commands.execute(votes.VOTE, votes.vote_id(idea, voter), die.choice(on_vote), act=act)
    return log


@given(st.integers(0, 9), st.randoms(use_true_random=False), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_the_board_does_not_depend_on_the_order_of_arrival(seed: int, die: Random, limit: int) -> None:
    async def both() -> tuple[Any, Any]:
        log = await history(seed)
        return await rows(log, [SUGGESTION_BOARD], Random(0), 1_000), await rows(log, [SUGGESTION_BOARD], die, limit)

    in_order, in_any_order = asyncio.run(both())
    assert in_any_order == in_order
    assert all(in_order.values())
