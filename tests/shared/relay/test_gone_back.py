"""A log that went back is noticed by what its topic holds, and takes nothing until it has that again."""

from __future__ import annotations

import msgspec
import pytest

from shared.events.errors import Unavailable
from shared.relay.producer import Producer
from tests.shared.log.log_conformance import one
from tests.shared.relay.system import PARTITIONS, System, caught_up, every, until
from tests.shared.subscription.source_conformance import append

ANOTHER_DATABASE = "update log_partition set agreed = 'another'"
"""As after a restart of the server, which begins at another time."""


async def gone_back(system: System, position: int) -> None:
    await system.sql("delete from log where position > $1", position)
    await system.sql("update log_partition set position = $1", position)
    await system.sql("update relay_checkpoint set position = least(position, $1)", position)
    await system.sql(ANOTHER_DATABASE)


async def go_on(system: System, position: int) -> None:
    """Other events at those positions, as if somebody had appended them."""
    await system.sql(
        "insert into log (partition, position, stream, version, type, id, community, occurred_at, data)"
        " select p, n, gen_random_uuid(), 1, 'guildhall.toy.deposited.v1', gen_random_uuid(), gen_random_uuid(), now(),"
        " '{\"amount\":1}' from generate_series(0, 11) p,"
        " lateral generate_series((select position from log_partition where id = p) + 1, $1) n",
        position,
    )
    await system.sql("update log_partition set position = $1", position)


async def refused(system: System) -> bool:
    try:
        await system.log.append(one(900, 0))
    except Unavailable as error:
        return "not known to hold what its topic holds" in str(error)
    return False


async def filled(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))


@pytest.mark.parametrize("last", [40, 50, 60], ids=["shorter", "as long", "longer"])
async def test_a_log_that_went_back_and_was_written_to_takes_nothing_and_says_so(system: System, last: int) -> None:
    await filled(system)
    await gone_back(system, 40)
    await go_on(system, last)

    async with system.relay() as relay:
        await until(lambda: "guildhall recover" in (relay.state.problem or ""))
        assert relay.state.state == "starting"
        assert await refused(system)
    assert await system.topic(50) == every(50)


async def test_a_log_that_went_back_under_a_leader_is_noticed_by_it(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await gone_back(system, 40)
        await go_on(system, 50)
        await until(lambda: "guildhall recover" in (relay.state.problem or ""))
        assert await refused(system)
    assert await system.topic(50) == every(50)


async def test_without_a_restart_it_is_noticed_by_the_next_leader(system: System) -> None:
    await filled(system)
    await gone_back(system, 40)
    await system.sql("update log_partition set agreed = null")
    await system.log.heads()
    async with system.relay() as relay:
        await until(lambda: "guildhall recover" in (relay.state.problem or ""))
        assert await refused(system)


async def test_a_repeat_at_the_topics_end_hides_nothing(system: System) -> None:
    await filled(system)
    before = Producer(system.settings, system.service)
    await before.start()
    for partition in range(PARTITIONS):
        await before.send(partition, await system.log.follow(partition, 30, 5))
    await before.stop()
    await gone_back(system, 40)

    async with system.relay() as relay:
        await until(lambda: "guildhall recover" in (relay.state.problem or ""))


async def test_a_server_that_only_began_anew_takes_appends_again_at_once(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        await system.sql(ANOTHER_DATABASE)
        await append(system.log, 1)
        await until(caught_up(relay, 51))
    assert [
        row["agreed"] for row in await system.sql("select distinct agreed <> 'another' as agreed from log_partition")
    ] == [True]


async def test_without_a_relay_appends_wait_a_moment_and_are_refused_then(system: System) -> None:
    await system.sql(ANOTHER_DATABASE)
    assert await refused(system)
    async with system.relay() as relay:
        await until(lambda: relay.state.state == "caught-up")
        await system.log.append(one(901, 0))


async def test_what_a_former_leader_sends_late_of_a_log_that_is_gone_is_noticed(system: System) -> None:
    await system.fill(600)
    async with system.relay() as relay:
        await until(caught_up(relay, 50))
        late = Producer(system.settings, system.service)
        await late.start()
        [model] = await system.log.follow(3, 49, 1)
        await late.send(3, [msgspec.structs.replace(model, id=model.stream, position=51)])
        await late.stop()
        await until(lambda: "guildhall recover" in (relay.state.problem or ""))
        assert await refused(system)
