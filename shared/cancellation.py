"""A task ends when it is cancelled and not otherwise: who cancels it sees it end, and no stray cancellation ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class Stray(Exception):
    """A cancellation that nobody asked of this task: something it stood on has died."""


@contextmanager
def only_own_cancellation() -> Iterator[None]:
    """Within, a `CancelledError` that is not this task's own becomes `Stray`, an error like any other."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Stray("a task underneath was cancelled") from error


@contextmanager
def attempt() -> Iterator[None]:
    """One try of what is tried again and again. As `only_own_cancellation`, and no error stands for a cancellation.

    A task that is cancelled in a transaction rolls it back, and where that fails too its failure is all that arrives:
    whoever takes it for a reason to try again goes on for ever, and who cancelled it waits for ever.
    """
    try:
        with only_own_cancellation():
            yield
    except Exception as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel these and see them end, each in its own time; being cancelled meanwhile is told afterwards."""
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while waiting := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # heard of it
    if cancelled is not None:
        raise cancelled


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Run them side by side until one ends, and end the others then. Raises what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        for ended in (await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))[0]:
            ended.result()
    finally:
        await end(*tasks)
