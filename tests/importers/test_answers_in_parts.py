"""An answer that comes byte by byte costs no more than its bytes, and holds up no clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2 as httpx
import pytest

from deploy.importers.answers import Answer, answers

LINE = b'{"line":1,"status":"applied"}'


async def one_by_one(content: bytes) -> AsyncIterator[bytes]:
    """As parts that are all there already: nothing is waited for between two."""
    for place in range(len(content)):
        yield content[place : place + 1]


async def told(content: bytes, lines: int = 1) -> list[Answer]:
    response = httpx.Response(200, content=one_by_one(content))
    return [answer async for answer in answers(response, lines)]


async def test_lines_are_found_however_they_are_cut() -> None:
    content = b"\n" + LINE + b"\n \n" + LINE.replace(b"1", b"2") + b"\n\n" + LINE.replace(b"1", b"3")
    assert [answer.line for answer in await told(content, 3)] == [1, 2, 3]


async def spent(before: int) -> float:
    """Seconds of processor time for some thousand parts of a line behind so many bytes of it.

    The least of some, since others disturb.
    """

    async def parts() -> AsyncIterator[bytes]:
        yield b" " * before
        async for part in one_by_one(b" " * 5_000 + LINE):
            yield part

    took = []
    for _ in range(3):
        began = time.process_time()
        response = httpx.Response(200, content=parts())
        assert [answer.line async for answer in answers(response, 1)] == [1]
        took.append(time.process_time() - began)
    return min(took)


async def test_a_long_line_costs_its_length() -> None:
    """No bound in seconds, which a slow machine crosses: a part costs itself, however much came before it."""
    assert await spent(1_500_000) < 4 * await spent(1)


async def test_what_has_arrived_already_holds_up_no_clock() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await told(b" " * 100_000 + LINE)
