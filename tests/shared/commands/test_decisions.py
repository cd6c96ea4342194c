"""Creating is decided by the first fact of a stream, changing on what is there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from uuid import UUID

import pytest

from shared.commands.commands import Commands
from shared.commands.decisions import Basis, change, creation
from shared.commands.outcome import Outcome
from shared.events.errors import Conflict, KeyReused, NotFound
from tests.doubles.log import MemoryLog
from tests.shared.toy import (
    ACCOUNT,
    ACT,
    ALICE,
    BOB,
    CATALOGUE,
    NOTES,
    Account,
    AccountClosed,
    AccountEvent,
    AccountOpened,
    Deposited,
    NoteWritten,
    close,
    deposit,
    stream,
)

ONE, TWO, BOOK = stream(1), stream(2), stream(3)
BY_BOB = replace(ACT, actor=BOB)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("toy")


@pytest.fixture
def commands(log: MemoryLog) -> Commands:
    return Commands(log, CATALOGUE)


def open_only(account: Account | None) -> None:
    """What a note rests on."""
    if ACCOUNT.existing(account).closed:
        raise Conflict("The account is closed.")


async def opened(commands: Commands, account: UUID = ONE, owner: UUID = ALICE) -> Outcome[Account]:
    (found,) = await commands.execute_together([creation(ACCOUNT, account, AccountOpened(owner))], act=ACT)
    return found


async def noted(commands: Commands, ref: UUID = TWO) -> Outcome[object]:
    on: list[Basis] = [(ACCOUNT, ONE)]
    (found,) = await commands.execute_together([creation(NOTES, BOOK, NoteWritten(ref), open_only)], act=ACT, on=on)
    return found


async def test_what_is_created_begins_with_its_event(commands: Commands) -> None:
    found = await opened(commands)
    assert (found.events, found.version, found.begun) == ((AccountOpened(ALICE),), 1, True)


async def test_what_was_created_by_the_same_is_created_no_more_whatever_became_of_it(
    log: MemoryLog, commands: Commands
) -> None:
    await opened(commands)
    await commands.execute(ACCOUNT, ONE, change(ACCOUNT, partial(deposit, 5)), act=BY_BOB)
    await commands.execute(ACCOUNT, ONE, change(ACCOUNT, close), act=ACT)
    for process in (commands, Commands(log, CATALOGUE)):
        found = await opened(process)
        assert (found.events, found.version, found.state) == ((), 3, Account(True, True, 5))


async def test_what_began_with_another_event_or_by_somebody_else_is_another_thing(commands: Commands) -> None:
    await opened(commands)
    with pytest.raises(KeyReused, match="Another account"):
        await opened(commands, owner=BOB)
    with pytest.raises(KeyReused):
        await commands.execute_together([creation(ACCOUNT, ONE, AccountOpened(ALICE))], act=BY_BOB)


async def test_what_is_forbidden_is_not_created_and_what_was_created_before_is_not_forbidden(
    commands: Commands,
) -> None:
    with pytest.raises(NotFound, match="no such account"):
        await noted(commands)
    await opened(commands)
    assert (await noted(commands)).events == (NoteWritten(TWO),)
    await commands.execute(ACCOUNT, ONE, change(ACCOUNT, close), act=ACT)
    assert (await noted(commands)).events == ()
    with pytest.raises(KeyReused, match="Another note"):
        await noted(commands, ONE)


async def test_what_another_process_closed_meanwhile_forbids_it_too(log: MemoryLog, commands: Commands) -> None:
    await opened(commands)
    await Commands(log, CATALOGUE).execute(ACCOUNT, ONE, change(ACCOUNT, close), act=ACT)
    with pytest.raises(Conflict, match="closed"):
        await noted(commands)


async def test_two_processes_create_one_thing_once(log: MemoryLog, commands: Commands) -> None:
    other = Commands(log, CATALOGUE)
    first, second = await opened(commands), await opened(other)
    assert (len(first.events), len(second.events), len(await log.load(ONE))) == (1, 0, 1)


async def test_what_is_not_there_is_not_changed(log: MemoryLog, commands: Commands) -> None:
    with pytest.raises(NotFound, match="There is no such account"):
        await commands.execute(ACCOUNT, ONE, change(ACCOUNT, close), act=ACT)
    await opened(commands)
    closed = await commands.execute(ACCOUNT, ONE, change(ACCOUNT, close), act=ACT)
    assert closed.events == (AccountClosed(),)


async def test_a_change_is_given_what_it_rests_on(commands: Commands) -> None:
    await opened(commands)
    await opened(commands, TWO)

    def as_much(mine: Account, other: Account | None) -> list[AccountEvent]:
        return [Deposited(other.balance)] if other else []

    await commands.execute(ACCOUNT, TWO, change(ACCOUNT, partial(deposit, 7)), act=ACT)
    found = await commands.execute(ACCOUNT, ONE, change(ACCOUNT, as_much), act=ACT, on=[(ACCOUNT, TWO)])
    assert found.events == (Deposited(7),)
