"""The commands of process managers in one batch: in order for each stream, side by side for different ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from shared.processes.process_manager import CommandRefused, Dispatch, OutgoingCommand
from shared.projections.store import Unwritable, reason

AT_ONCE = 8
"""Streams to which commands are carried out side by side."""


async def dispatch_all(execute: Dispatch, commands: Iterable[OutgoingCommand[Any, Any]]) -> None:
    """Carry out the commands to a stream one after the other, those to different streams side by side.

    None waits for another stream's. Raises `Unwritable` where one never can be carried out.
    """
    room = asyncio.Semaphore(AT_ONCE)
    by_stream: dict[UUID, list[OutgoingCommand[Any, Any]]] = {}
    for command in commands:
        by_stream.setdefault(command.stream, []).append(command)

    async def carry_out(to_one: Sequence[OutgoingCommand[Any, Any]]) -> None:
        async with room:
            for command in to_one:
                await execute(command)

    ended = await asyncio.gather(*map(carry_out, by_stream.values()), return_exceptions=True)
    errors = [error for error in ended if error is not None]
    if passing := next((error for error in errors if not isinstance(error, CommandRefused)), None):
        raise passing
    if errors:
        raise Unwritable(reason(errors[0])) from errors[0]
