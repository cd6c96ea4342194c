"""A command leaves behind the words that stood before it and stand no more; those do not come back."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never, get_args, get_type_hints
from uuid import UUID

import pytest

import services
from shared.commands.commands import Commands
from shared.commands.decisions import StreamDecision
from shared.commands.outcome import Outcome
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider, facts_of
from shared.events.event import Event, Text, wire_name
from shared.events.fact import Fact
from shared.vault import vault_row
from tests.doubles.log import MemoryLog
from tests.shared.toy import ACT, ALICE, COMMUNITY, stream

DESK = stream(1)


class Pinned(Event, frozen=True, tag="guildhall.toy.pinned.v1"):
    side: str
    text: Text


class Cleared(Event, frozen=True, tag="guildhall.toy.cleared.v1"):
    pass


@dataclass(frozen=True, slots=True)
class Board:
    front: Text | None = None
    back: Text | None = None
    cleared: bool = False


def evolve(state: Board | None, fact: Fact[Pinned | Cleared]) -> Board:
    state = state or Board()
    match fact.event:
        case Pinned(side="front", text=text):
            return replace(state, front=text)
        case Pinned(text=text):
            return replace(state, back=text)
        case Cleared():
            return replace(state, cleared=True)
        case _:
            assert_never(fact.event)


BOARD: Decider[Board, Pinned | Cleared] = Decider(
    "board", evolve, lambda board: () if board.cleared else (board.front, board.back)
)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("toy")


@pytest.fixture
def commands(log: MemoryLog) -> Commands:
    return Commands(log, Catalogue([Pinned, Cleared]))


def ref(number: int) -> UUID:
    return stream(100 + number)


async def pin(
    commands: Commands, number: int, side: str = "front", *, on: UUID = DESK, known: bool = False
) -> Outcome[Board | None]:
    words = () if known else [vault_row(COMMUNITY, ALICE, ref(number), {"text": "words"})]
    return await commands.execute(BOARD, on, lambda _: [Pinned(side, Text(ref(number), 5))], act=ACT, secrets=words)


async def test_words_are_left_behind_one_by_one_and_all_of_them_at_the_end(log: MemoryLog, commands: Commands) -> None:
    assert (await pin(commands, 1)).superseded == set()
    assert (await pin(commands, 2, "back")).superseded == set()
    assert (await pin(commands, 3)).superseded == {ref(1)}
    assert log.superseded == {(COMMUNITY, ref(1))}
    cleared = await commands.execute(BOARD, DESK, lambda _: [Cleared()], act=ACT)
    assert cleared.superseded == {ref(2), ref(3)}
    assert log.superseded == {(COMMUNITY, ref(number)) for number in (1, 2, 3)}
    assert (await commands.load(BOARD, DESK)).superseded == set()


async def test_words_that_stand_on_another_side_still_stand(log: MemoryLog, commands: Commands) -> None:
    await pin(commands, 1)
    await pin(commands, 1, "back", known=True)
    assert (await pin(commands, 2)).superseded == set()
    assert (await pin(commands, 3, "back")).superseded == {ref(1)}


async def test_each_stream_of_a_command_tells_its_own(log: MemoryLog, commands: Commands) -> None:
    other = stream(2)
    await pin(commands, 1)
    await pin(commands, 2, on=other)
    steps = [StreamDecision(BOARD, board, lambda _: [Cleared()]) for board in (DESK, other)]
    first, second = await commands.execute_together(steps, act=ACT)
    assert [set(outcome.superseded) for outcome in (first, second)] == [{ref(1)}, {ref(2)}]
    assert len(log.superseded) == 2


async def test_words_that_stand_again_are_left_behind_no_more(log: MemoryLog, commands: Commands) -> None:
    await pin(commands, 1)
    await pin(commands, 2)
    await pin(commands, 1, known=True)
    assert log.superseded == {(COMMUNITY, ref(2))}


async def test_words_left_behind_in_another_process_are_those_of_the_log(log: MemoryLog, commands: Commands) -> None:
    other = Commands(log, Catalogue([Pinned, Cleared]))
    await pin(commands, 1)
    await pin(other, 2)
    assert (await pin(commands, 3)).superseded == {ref(2)}


def deciders() -> list[Decider[Any, Any]]:
    root = Path(services.__file__).parent
    modules = [".".join(("services", *path.relative_to(root).with_suffix("").parts)) for path in root.glob("*/*/*.py")]
    found = [vars(importlib.import_module(name)) for name in modules if name.endswith(".domain")]
    return [value for names in found for value in names.values() if isinstance(value, Decider)]


@pytest.mark.parametrize("decider", {decider.name: decider for decider in deciders()}.values(), ids=lambda d: d.name)
def test_whatever_refers_to_words_says_which_stand(decider: Decider[Any, Any]) -> None:
    def refers(kind: Any) -> bool:
        return any(Text in (hint, *get_args(hint)) for hint in get_type_hints(kind).values())

    events = facts_of(decider.evolve)
    assert decider.types == {wire_name(event) for event in events}
    says = decider.words.__module__ != Decider.__module__
    assert says == any(refers(event) for event in events)
