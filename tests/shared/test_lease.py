"""One leads, the others stand by, and what an old leader still tries to write is refused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import create_engine, driver
from shared.lease import Lease, LeaseLost, acquire, lead, release, renew
from shared.settings import Settings
from shared.tables import service_metadata
from tests.conftest import FreshDatabase


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    async with fresh_database(service_metadata(facts=True)) as fresh:
        yield fresh


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings, "toy")
    async with driver(engine) as connection:
        await connection.execute("truncate lease; update relay_checkpoint set position = 0")
    yield engine
    await engine.dispose()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def expire(engine: AsyncEngine) -> None:
    """As if the lease's time had passed."""
    async with driver(engine) as connection:
        await connection.execute("update lease set expires_at = clock_timestamp() - interval '1 second'")


async def test_a_lease_is_one_holders_until_it_is_released(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        first = await acquire(connection, "relay")
        assert first is not None
        assert (first.epoch, await acquire(connection, "relay")) == (1, None)
        other = await acquire(connection, "rebuild")
        assert other is not None

        await release(connection, first)

        second = await acquire(connection, "relay")
        assert second is not None
        assert second.epoch == 2


async def test_a_lease_that_ran_out_passes_on_and_one_that_is_renewed_does_not(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        first = await acquire(connection, "relay", duration=1)
        assert first is not None
        await renew(connection, first)
        await asyncio.sleep(1.1)
        assert await acquire(connection, "relay") is None
        await expire(engine)
        assert await acquire(connection, "relay") is not None

        with pytest.raises(LeaseLost):
            await renew(connection, first)


async def test_a_lease_from_before_the_clock_was_set_back_is_not_waited_for(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        dead = await acquire(connection, "relay")
        assert dead is not None
        await connection.execute("update lease set expires_at = expires_at + interval '1 hour'")

        assert await acquire(connection, "relay") is not None

        with pytest.raises(LeaseLost):
            await renew(connection, dead)


async def test_releasing_a_lost_lease_does_not_touch_the_new_one(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        first = await acquire(connection, "relay", duration=0)
        second = await acquire(connection, "relay")
        assert first is not None
        assert second is not None

        await release(connection, first)

        await renew(connection, second)


async def test_no_one_can_lead_between_the_check_and_the_commit(engine: AsyncEngine) -> None:
    async with driver(engine) as old, driver(engine) as new:
        lease = await acquire(old, "relay", duration=0)
        assert lease is not None
        order: list[str] = []

        async def take_over() -> None:
            assert await acquire(new, "relay") is not None
            order.append("new leader")

        async with old.transaction():
            await lease.check(old)
            taking = asyncio.create_task(take_over())
            await asyncio.sleep(0.1)
            await old.execute("update relay_checkpoint set position = 7 where partition = 0")
            order.append("old leader's write")
        await taking

        assert order == ["old leader's write", "new leader"]


async def test_of_two_leaders_the_old_epochs_writes_are_all_refused(engine: AsyncEngine) -> None:
    """Leadership is taken away by force, again and again, while every leader there ever was goes on writing."""
    leases: list[Lease] = []
    written: list[int] = []
    refused = 0
    chance = random.Random(7)

    async def write(lease: Lease) -> bool:
        """Write the epoch over one that is not higher; a write that would go back breaks a rule of the table."""
        async with driver(engine) as connection:
            try:
                async with connection.transaction():
                    await lease.check(connection)
                    await asyncio.sleep(chance.random() * 0.004)
                    before = await connection.fetchval(
                        "update relay_checkpoint c set position = $1 from relay_checkpoint old"
                        " where c.partition = 0 and old.partition = 0 returning old.position",
                        lease.epoch,
                    )
            except LeaseLost:
                return False
        assert before <= lease.epoch
        written.append(lease.epoch)
        return True

    for _ in range(40):
        await expire(engine)
        async with driver(engine) as connection:
            writes = [asyncio.create_task(write(lease)) for lease in chance.sample(leases, min(4, len(leases)))]
            lease = await acquire(connection, "relay")
        assert lease is not None
        taken_over = len(written)
        leases.append(lease)
        late = await asyncio.gather(*(write(old) for old in leases[-4:]))
        refused += late.count(False)
        assert late == [False] * (len(late) - 1) + [True]
        await asyncio.gather(*writes)
        assert max(written[taken_over:]) == lease.epoch

    assert [lease.epoch for lease in leases] == list(range(1, 41))
    assert refused >= 100


async def test_who_stands_by_takes_over_at_once_after_a_stop(engine: AsyncEngine) -> None:
    led: list[str] = []

    def work(name: str) -> Callable[[Lease], Awaitable[None]]:
        async def working(lease: Lease) -> None:
            led.append(name)
            await asyncio.Event().wait()

        return working

    one = asyncio.create_task(lead(engine, "relay", work("one"), standby=0.05))
    await until(lambda: led)
    two = asyncio.create_task(lead(engine, "relay", work("two"), standby=0.05))
    await asyncio.sleep(0.2)
    assert led == ["one"]

    one.cancel()
    await asyncio.wait([one])
    await until(lambda: len(led) > 1)

    assert led == ["one", "two"]
    two.cancel()
    await asyncio.wait([two])


async def test_work_is_stopped_when_the_lease_is_lost_and_begun_again_when_it_is_back(engine: AsyncEngine) -> None:
    epochs: list[int] = []
    stopped = asyncio.Event()

    async def work(lease: Lease) -> None:
        epochs.append(lease.epoch)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    leading = asyncio.create_task(lead(engine, "relay", work, renewal=0.1, standby=0.05))
    await until(lambda: epochs)
    await expire(engine)
    async with driver(engine) as connection:
        thief = await acquire(connection, "relay", duration=3)
    if thief is not None:  # else it was renewed in between, which is as good
        await asyncio.wait_for(stopped.wait(), 2.5)
        assert epochs == [1]
        await until(lambda: len(epochs) > 1)
        assert epochs == [1, 3]
    leading.cancel()
    await asyncio.wait([leading])


async def test_work_that_fails_is_begun_again_and_work_that_ends_is_the_end(engine: AsyncEngine) -> None:
    tries: list[int] = []

    async def work(lease: Lease) -> None:
        tries.append(lease.epoch)
        if len(tries) == 1:
            raise RuntimeError("a bug")
        if len(tries) == 2:
            raise LeaseLost("found out while writing")

    await asyncio.wait_for(lead(engine, "relay", work, standby=0.01), 60)

    assert tries == [1, 2, 3]


async def test_a_leader_whose_database_went_away_stops_before_its_lease_can_pass_on(settings: Settings) -> None:
    engine = create_engine(settings, "toy-leader")
    states: list[str] = []

    async def work(lease: Lease) -> None:
        states.append("working")
        try:
            await asyncio.Event().wait()
        finally:
            states.append("stopped")

    admin = await asyncpg.connect(settings.database_url)
    name = settings.database_url.rpartition("/")[2]
    other = await asyncpg.connect(settings.database_url.rpartition("/")[0] + "/postgres")
    leading = asyncio.create_task(lead(engine, "relay", work, duration=1, renewal=0.2, standby=0.1))
    await until(lambda: states)
    await admin.close()

    await other.execute(f"alter database {name} allow_connections false")
    await other.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    await asyncio.sleep(1.3)
    assert states == ["working", "stopped"]
    await other.execute(f"alter database {name} allow_connections true")
    await until(lambda: len(states) > 2)

    assert states == ["working", "stopped", "working"]
    leading.cancel()
    await asyncio.wait([leading])
    await other.close()
    await engine.dispose()


async def test_work_that_is_cancelled_by_a_library_is_begun_again(engine: AsyncEngine) -> None:
    tries: list[int] = []

    async def work(lease: Lease) -> None:
        tries.append(lease.epoch)
        if len(tries) == 1:
            raise asyncio.CancelledError  # as when a task that a library keeps has been cancelled

    await asyncio.wait_for(lead(engine, "relay", work, standby=0.01), 60)

    assert tries == [1, 2]


async def test_a_leader_that_is_stopped_while_its_work_winds_down_stops_and_hands_over(engine: AsyncEngine) -> None:
    began, winding_down, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_: Lease) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            winding_down.set()
            await asyncio.sleep(0.2)
            ended.set()

    leading = asyncio.create_task(lead(engine, "relay", work, renewal=0.05, standby=0.05))
    await asyncio.wait_for(began.wait(), 60)
    await expire(engine)
    async with driver(engine) as connection:
        await connection.execute("update lease set epoch = epoch + 1, holder = gen_random_uuid()")
    await asyncio.wait_for(winding_down.wait(), 60)
    leading.cancel()
    done, _ = await asyncio.wait([leading], timeout=2)

    assert (done, ended.is_set()) == ({leading}, True)
