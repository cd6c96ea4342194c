"""Each command is carried out with one effect, however often it is tried; what fails holds up its own target alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from shared.events.errors import Conflict, NotFound, Problem, Unavailable
from shared.events.event import Recorded, Undecodable
from shared.log.port import Append, Position
from shared.processes import dispatcher
from shared.processes.dispatcher import SIDE_BY_SIDE, TRIES
from shared.processes.process_manager import OutgoingCommand
from shared.projections.read_model import process_manager
from tests.shared import toy
from tests.shared.processes.conftest import Shop, another, until
from tests.shared.processes.gifts import GIFTS, IN_THE_WAY, LATE_GIFTS, Give, gift_of
from tests.shared.toy import ACCOUNT, ACT, AccountOpened, Deposited, stream


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(dispatcher, "LONGEST_PAUSE", 0.02)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Conflict("Others are first.", retry_after=1), "In conflict with the current state: Others are first."),
        (NotFound("There is no such shop."), "Not found: There is no such shop."),
        (Problem("Broken."), "Internal error: Broken."),
        (ValueError("no price"), "ValueError: no price"),
        (Undecodable("not what its name says"), "Undecodable: not what its name says"),
    ],
)
async def test_what_never_passes_is_a_dead_letter_with_why_and_holds_up_no_other(
    shop: Shop, error: Exception, why: str
) -> None:
    asked = 0

    def never(gift: Give) -> None:
        nonlocal asked
        if gift.because_of == stream(1):
            asked += 1
            raise error

    IN_THE_WAY.of = never
    await shop.opens(*range(1, 20))
    await shop.read()
    async with shop.carrying_out():
        await until(shop.all_done)
        (dead,) = await shop.waiting()
        assert (dead["target"], dead["reason"], dead["tries"]) == (gift_of(stream(1)), why, TRIES)
        assert await shop.gifts(*range(1, 20)) == [0] + [2] * 18
        tried = asked
        await shop.opens(20)
        await shop.read()
        await until(lambda: shop.gift(20))
    assert asked == tried, "nobody tries it any more"


async def test_a_target_that_does_not_answer_holds_up_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do as many as are carried out at the same time, one less."""
    held = {stream(number) for number in range(SIDE_BY_SIDE - 1)}
    load, go_on = shop.log.load, asyncio.Event()

    async def slow(target: UUID, after: int = 0) -> Any:
        if target in {gift_of(account) for account in held}:
            await go_on.wait()
        return await load(target, after)

    monkeypatch.setattr(shop.log, "load", slow)
    await shop.opens(*range(40))
    await shop.read()
    others = [number for number in range(40) if stream(number) not in held]

    async def given() -> bool:
        rows = await shop.waiting()
        return {row["target"] for row in rows} == {gift_of(account) for account in held}

    async with shop.carrying_out():
        await until(given)
        go_on.set()
        await until(shop.all_done)
    assert set(await shop.gifts(*others)) == {2}


async def test_commands_to_one_target_are_carried_out_in_order_and_go_on_behind_a_dead_letter(shop: Shop) -> None:
    def twice(event: AccountOpened, record: Recorded) -> list[OutgoingCommand]:
        return [] if record.causation else [Give(stream(0), 1), Give(stream(0), 2)]

    manager = process_manager("gifts", twice, [Give])
    asked: list[int] = []

    def first_never(gift: Give) -> None:
        asked.append(gift.amount)
        if gift.amount == 1:
            raise Conflict("Not this one.")

    IN_THE_WAY.of = first_never
    await shop.opens(1)
    await shop.read(manager)
    async with shop.carrying_out(manager):
        await until(shop.all_done)

    assert asked == [1] * TRIES + [2]
    assert await shop.gifts(0) == [2]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("The log does not answer."),
        asyncpg.SerializationError(""),
        asyncpg.DeadlockDetectedError(""),
        asyncpg.ReadOnlySQLTransactionError(""),
        asyncpg.PostgresIOError(""),
        OSError(),
    ],
    ids=repr,
)
async def test_a_log_that_is_away_is_waited_for_however_long(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    failures, append = 2 * TRIES, shop.log.append

    async def failing(request: Append) -> list[Position]:
        nonlocal failures
        if failures and request.causation is not None:
            failures -= 1
            raise error
        return await append(request)

    monkeypatch.setattr(shop.log, "append", failing)
    await shop.opens(1)
    await shop.read()
    async with shop.carrying_out():
        await until(shop.all_done)

    assert (failures, await shop.waiting(), await shop.gifts(1)) == (0, [], [2])


@pytest.mark.parametrize("before", [True, False], ids=["before it was carried out", "after"])
async def test_a_crash_beside_the_append_leaves_one_effect(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    append, reached = shop.log.append, asyncio.Event()

    async def crashing(request: Append) -> list[Position]:
        if request.causation is None or reached.is_set():
            return await append(request)
        positions = [] if before else await append(request)
        reached.set()
        await asyncio.sleep(3600)
        return positions

    monkeypatch.setattr(shop.log, "append", crashing)
    await shop.opens(1)
    await shop.read()
    async with shop.carrying_out():
        await reached.wait()
    assert len(await shop.waiting()) == 1
    shop.commands.forget()
    async with shop.carrying_out():
        await until(shop.all_done)

    assert (await shop.waiting(), await shop.gifts(1)) == ([], [2])


async def test_a_timer_waits_for_its_time_and_comes_once_whatever_the_clock_does(shop: Shop) -> None:
    """An hour away; the clock is set by changing what is waited for, which is the same to whoever compares the two."""
    await shop.opens(1)
    (opened,) = await shop.log.load(stream(1))
    await shop.read(LATE_GIFTS)
    async with shop.carrying_out(LATE_GIFTS) as running:
        for seconds in (3_500, -86_400, 86_300):
            await shop.come(seconds)
            running.wake()
            await asyncio.sleep(2 * dispatcher.POLL)
            assert await shop.gifts(1) == [0]
        await shop.come(201)
        running.wake()
        await until(shop.all_done)

    gift = await shop.gift(1)
    assert {each.occurred_at for each in gift} == {opened.recorded_at + timedelta(hours=1)}
    assert len(gift) == 2


async def test_a_pause_that_a_clock_has_made_long_is_no_pause(shop: Shop) -> None:
    await shop.opens(1)
    await shop.read()
    await shop.sql("update outgoing_command set again_at = now() + interval '1 hour', tries = 1")
    async with shop.carrying_out():
        await until(shop.all_done)
    assert await shop.gifts(1) == [2]


async def test_a_stream_that_a_newer_release_has_written_makes_a_dead_letter_of_what_is_for_it_alone(
    shop: Shop,
) -> None:
    await shop.commands.execute(ACCOUNT, gift_of(stream(1)), toy.close, act=ACT)
    await shop.opens(1, 2)
    await shop.read()
    async with shop.carrying_out(commands=another(shop, AccountOpened, Deposited)):
        await until(shop.all_done)

    (dead,) = await shop.waiting()
    assert dead["target"] == gift_of(stream(1))
    assert "account-closed.v1: a newer release has written it" in dead["reason"]
    assert await shop.gifts(1, 2) == [1, 2]


async def test_a_dispatcher_ends_where_the_database_is_away_so_that_its_worker_begins_it_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.opens(1)
    await shop.read()
    monkeypatch.setattr(dispatcher, "DONE", "select 1 / 0 where $1::uuid is not null")
    running = dispatcher.Dispatcher(shop.engine, shop.commands, [])
    with pytest.raises(KeyError):  # no manager knows the command: that is a fault of the row alone
        await running._execute((await shop.waiting())[0])
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with asyncio.timeout(20):
            await dispatcher.Dispatcher(shop.engine, shop.commands, [GIFTS]).run()
    assert await shop.gifts(1) == [2]
