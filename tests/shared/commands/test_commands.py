"""Commands: repeated ones write nothing, concurrent ones meet each other, stale states are not believed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import StreamDecision
from shared.events.catalogue import Catalogue
from shared.events.errors import Conflict, NotFound, PreconditionFailed, TooLarge, Unavailable
from shared.events.event import Recorded
from shared.events.fact import Fact
from shared.log.port import Position, VaultRow, partition_of
from shared.vault import vault_row
from tests.doubles.log import MemoryLog
from tests.doubles.vault import MemoryVault
from tests.shared.toy import (
    ACCOUNT,
    ACT,
    ALICE,
    CATALOGUE,
    COMMUNITY,
    NOON,
    NOTES,
    Account,
    AccountClosed,
    AccountEvent,
    AccountOpened,
    Deposited,
    NoteWritten,
    account,
    close,
    deposit,
    open_account,
    stream,
)

ONE = stream(1)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("toy")


@pytest.fixture
def commands(log: MemoryLog) -> Commands:
    return Commands(log, CATALOGUE)


async def test_a_command_writes_what_was_decided_and_answers_the_new_state(commands: Commands) -> None:
    outcome = await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    assert (account(outcome).open, outcome.version, outcome.events) == (True, 1, (AccountOpened(ALICE),))
    assert outcome.position == Position(partition_of(ONE, 12), 1)


async def test_a_repeated_command_writes_nothing_and_answers_the_same(commands: Commands) -> None:
    first = await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    again = await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    assert again.events == ()
    assert (again.state, again.version, again.position) == (first.state, first.version, first.position)


async def test_a_refusal_is_not_decided_on_a_state_that_another_process_has_changed(
    log: MemoryLog, commands: Commands
) -> None:
    other = Commands(log, CATALOGUE)
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await other.execute(ACCOUNT, ONE, close, act=ACT)

    with pytest.raises(Conflict):
        await commands.execute(ACCOUNT, ONE, partial(deposit, 5), act=ACT)
    assert (await commands.load(ACCOUNT, ONE)).version == 2


async def test_a_repetition_is_not_believed_on_a_state_from_the_cache(log: MemoryLog, commands: Commands) -> None:
    other = Commands(log, CATALOGUE)
    with pytest.raises(Conflict):
        await commands.execute(ACCOUNT, ONE, partial(deposit, 5), act=ACT)
    await other.execute(ACCOUNT, ONE, open_account, act=ACT)

    assert account(await commands.execute(ACCOUNT, ONE, partial(deposit, 5), act=ACT)).balance == 5
    assert account(await other.execute(ACCOUNT, ONE, open_account, act=ACT)).balance == 5


async def test_what_seems_done_already_is_looked_at_afresh(log: MemoryLog, commands: Commands) -> None:
    other = Commands(log, CATALOGUE)
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await other.execute(ACCOUNT, ONE, close, act=ACT)

    outcome = await commands.execute(
        ACCOUNT, ONE, lambda state: [Deposited(1)] if state and state.closed else [], act=ACT
    )

    assert (outcome.events, outcome.version) == ((Deposited(1),), 3)


async def test_concurrent_commands_of_two_processes_all_take_effect_once(log: MemoryLog) -> None:
    processes = [Commands(log, CATALOGUE), Commands(log, CATALOGUE)]
    await processes[0].execute(ACCOUNT, ONE, open_account, act=ACT)

    await asyncio.gather(*(p.execute(ACCOUNT, ONE, partial(deposit, 1), act=ACT) for p in processes for _ in range(20)))

    assert account(await processes[0].load(ACCOUNT, ONE)).balance == 40


async def test_a_stream_of_another_kind_is_not_found(commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    with pytest.raises(NotFound):
        await commands.load(NOTES, ONE)
    with pytest.raises(NotFound):
        await Commands(commands.log, CATALOGUE).load(NOTES, ONE)


async def test_a_stream_of_another_community_is_not_found(log: MemoryLog, commands: Commands) -> None:
    elsewhere = CommandMetadata(stream(77), ALICE, NOON)
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    for reader in (commands, Commands(log, CATALOGUE)):
        with pytest.raises(NotFound):
            await reader.load(ACCOUNT, ONE, community=elsewhere.community)
        with pytest.raises(NotFound):
            await reader.execute(ACCOUNT, ONE, close, act=elsewhere)
    assert (await commands.load(ACCOUNT, ONE, community=COMMUNITY)).version == 1


async def test_a_version_that_the_caller_has_not_seen_is_refused(log: MemoryLog, commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await Commands(log, CATALOGUE).execute(ACCOUNT, ONE, partial(deposit, 1), act=ACT)

    with pytest.raises(PreconditionFailed):
        await commands.execute(ACCOUNT, ONE, close, act=ACT, expect=1)
    with pytest.raises(PreconditionFailed):  # refused as things are now, which the caller has not seen
        await commands.execute(ACCOUNT, stream(2), partial(deposit, 1), act=ACT, expect=1)
    assert (await commands.execute(ACCOUNT, ONE, close, act=ACT, expect=2)).events == (AccountClosed(),)


async def test_a_repetition_is_answered_though_its_first_try_made_the_version_another(
    log: MemoryLog, commands: Commands
) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await commands.execute(ACCOUNT, ONE, close, act=ACT, expect=1)

    for process in (commands, Commands(log, CATALOGUE)):
        again = await process.execute(ACCOUNT, ONE, close, act=ACT, expect=1)
        assert (again.version, again.events) == (2, ())


async def test_a_stream_that_is_known_to_be_new_is_written_without_a_look(log: MemoryLog, commands: Commands) -> None:
    looked: list[UUID] = []

    async def load(stream: UUID, after: int = 0) -> Sequence[Recorded]:
        looked.append(stream)
        return await MemoryLog.load(log, stream, after)

    log.load = load  # type: ignore[method-assign]
    outcome = await commands.execute(ACCOUNT, ONE, open_account, act=ACT, new=True)

    assert (outcome.version, outcome.begun, looked) == (1, True, [])


async def test_a_stream_that_was_wrongly_taken_for_new_is_looked_at_after_all(commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    outcome = await commands.execute(ACCOUNT, ONE, open_account, act=ACT, new=True)

    assert (outcome.events, outcome.version, outcome.begun) == ((), 1, False)


async def test_an_outcome_tells_when_things_happened_as_the_log_has_it(log: MemoryLog, commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    later = replace(ACT, occurred_at=NOON + timedelta(hours=1))
    outcome = await commands.execute(ACCOUNT, ONE, partial(deposit, 3), act=later)

    read = await Commands(log, CATALOGUE).load(ACCOUNT, ONE)
    assert read.began == outcome.began == Fact(AccountOpened(ALICE), NOON, 1, ALICE, None, (await log.load(ONE))[0].id)
    assert read.here == outcome.here == {AccountOpened, Deposited}


async def test_steps_on_several_streams_are_written_together(commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    words = vault_row(COMMUNITY, ALICE, stream(9), {"body": "hello"})

    first, second = await commands.execute_together(
        [
            StreamDecision(ACCOUNT, ONE, partial(deposit, 3)),
            StreamDecision(NOTES, stream(2), lambda state: [] if state else [NoteWritten(stream(9))]),
        ],
        act=ACT,
        secrets=[words],
    )

    assert (first.events, second.events) == ((Deposited(3),), (NoteWritten(stream(9)),))


async def test_a_refused_step_leaves_the_others_unwritten(log: MemoryLog, commands: Commands) -> None:
    words = VaultRow(COMMUNITY, ALICE, stream(9), b"{}")
    with pytest.raises(Conflict):
        await commands.execute_together(
            [
                StreamDecision(NOTES, stream(2), lambda _: [NoteWritten(stream(9))]),
                StreamDecision(ACCOUNT, ONE, partial(deposit, 3)),
            ],
            act=ACT,
            secrets=[words],
        )

    assert sum(await log.heads()) == 0
    assert await MemoryVault(log.vault).read(COMMUNITY, [stream(9)]) == {}


async def test_the_cache_forgets_the_streams_that_were_used_longest_ago(log: MemoryLog) -> None:
    commands = Commands(log, CATALOGUE, cache=3)
    for number in range(10):
        await commands.execute(ACCOUNT, stream(number), open_account, act=ACT)

    assert account(await commands.execute(ACCOUNT, stream(0), partial(deposit, 2), act=ACT)).balance == 2


async def test_an_event_that_no_broker_would_take_is_refused_before_it_is_written(commands: Commands) -> None:
    many = AccountOpened(tuple(stream(number) for number in range(10_000)))  # type: ignore[arg-type]  # a huge one

    with pytest.raises(TooLarge):
        await commands.execute(ACCOUNT, ONE, lambda _: [many], act=ACT)
    assert (await commands.load(ACCOUNT, ONE)).version == 0


async def test_a_step_that_writes_nothing_is_not_decided_on_a_state_that_another_process_has_changed(
    log: MemoryLog, commands: Commands
) -> None:
    def only_while_open(state: Account | None) -> list[AccountEvent]:
        if state and state.closed:
            raise Conflict("The account is closed.")
        return []

    steps: list[StreamDecision[Any, Any]] = [
        StreamDecision(ACCOUNT, ONE, only_while_open),
        StreamDecision(NOTES, stream(2), lambda _: [NoteWritten(stream(9))]),
    ]
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await commands.execute_together(steps, act=ACT)
    await Commands(log, CATALOGUE).execute(ACCOUNT, ONE, close, act=ACT)

    with pytest.raises(Conflict):
        await commands.execute_together(steps, act=ACT)


def deposit_while_open(amount: int, mine: Account | None, other: Account | None) -> list[AccountEvent]:
    """A rule over two streams: the other account must be open."""
    if other is None or other.closed:
        raise Conflict("The other account is closed.")
    return deposit(amount, mine)


TWO = stream(2)


async def test_a_decision_is_given_the_streams_that_it_rests_on(commands: Commands) -> None:
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)

    with pytest.raises(Conflict, match="other account is closed"):
        await commands.execute(ACCOUNT, ONE, partial(deposit_while_open, 5), act=ACT, on=[(ACCOUNT, TWO)])
    await commands.execute(ACCOUNT, TWO, open_account, act=ACT)
    outcome = await commands.execute(ACCOUNT, ONE, partial(deposit_while_open, 5), act=ACT, on=[(ACCOUNT, TWO)])

    assert (account(outcome).balance, outcome.version) == (5, 2)


async def test_a_decision_is_made_again_when_what_it_rests_on_was_changed_by_another_process(
    log: MemoryLog, commands: Commands
) -> None:
    other = Commands(log, CATALOGUE)
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await commands.execute(ACCOUNT, TWO, open_account, act=ACT)
    await other.execute(ACCOUNT, TWO, close, act=ACT)  # `commands` still knows it as open

    with pytest.raises(Conflict, match="other account is closed"):
        await commands.execute(ACCOUNT, ONE, partial(deposit_while_open, 5), act=ACT, on=[(ACCOUNT, TWO)])
    assert (await commands.load(ACCOUNT, ONE)).version == 1


async def test_a_step_that_decides_nothing_is_a_guard_of_the_others(log: MemoryLog, commands: Commands) -> None:
    other = Commands(log, CATALOGUE)
    await commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await commands.execute(ACCOUNT, TWO, open_account, act=ACT)
    await other.execute(ACCOUNT, TWO, partial(deposit, 1), act=ACT)
    seen = []

    def look(account: Account) -> list[AccountEvent]:
        seen.append(account.balance)
        return []

    await commands.execute_together(
        [StreamDecision(ACCOUNT, ONE, partial(deposit, 5)), StreamDecision(ACCOUNT, TWO, look)], act=ACT
    )

    assert seen == [0, 1]


async def test_an_event_that_only_a_newer_release_knows_is_a_reason_to_try_again(log: MemoryLog) -> None:
    newer, older = Commands(log, CATALOGUE), Commands(log, Catalogue([AccountOpened]))
    await newer.execute(ACCOUNT, ONE, open_account, act=ACT)
    await newer.execute(ACCOUNT, ONE, partial(deposit, 5), act=ACT)

    with pytest.raises(Unavailable, match=r"deposited\.v1: a newer release"):
        await older.execute(ACCOUNT, ONE, open_account, act=ACT)
