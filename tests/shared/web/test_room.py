"""Room is handed out in turn, and who goes away while they wait gives up their turn and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from shared.web.room import Room


async def test_who_goes_while_room_is_given_back_is_passed_over() -> None:
    room = Room(10)
    await room.take(10)
    first, second = (asyncio.create_task(room.take(size)) for size in (6, 5))
    await asyncio.sleep(0)
    first.cancel()
    room.give(10)
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert room.left == 5


async def test_who_goes_with_the_room_in_their_hands_gives_it_back() -> None:
    room = Room(10)
    await room.take(10)
    waiting = asyncio.create_task(room.take(6))
    await asyncio.sleep(0)
    room.give(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert room.left == 10
