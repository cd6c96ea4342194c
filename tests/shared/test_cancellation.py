"""A task is ended by whoever cancels it, and by nothing else."""

from __future__ import annotations

import asyncio

import pytest

from shared.cancellation import Stray, attempt, end, only_own_cancellation


async def test_a_cancellation_that_nobody_asked_for_is_an_error_like_any_other() -> None:
    dead = asyncio.create_task(asyncio.Event().wait())
    dead.cancel()
    await asyncio.wait([dead])

    with pytest.raises(Stray), only_own_cancellation():
        dead.result()


async def test_a_cancellation_of_the_task_itself_stays_one() -> None:
    async def work() -> None:
        with only_own_cancellation():
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def test_an_error_in_letting_go_does_not_stand_for_the_cancellation() -> None:
    tries: list[int] = []

    async def work() -> None:
        while True:
            try:
                with attempt():
                    try:
                        await asyncio.Event().wait()
                    finally:
                        raise ConnectionResetError("at the rollback")
            except ConnectionResetError:
                tries.append(1)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end(task)

    assert (tries, task.cancelled()) == ([], True)


async def test_an_error_that_comes_of_no_cancellation_is_an_error() -> None:
    async def too_long() -> None:
        async with asyncio.timeout(0.001):
            with attempt():
                await asyncio.Event().wait()

    with pytest.raises(ConnectionResetError), attempt():
        raise ConnectionResetError
    with pytest.raises(TimeoutError):
        await too_long()


async def test_who_ends_tasks_sees_them_end_also_when_cancelled_meanwhile() -> None:
    states: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            states.append("let go")

    async def ending() -> None:
        await end(working)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    task = asyncio.create_task(ending())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])

    assert (states, task.cancelled()) == (["let go"], True)
