"""What commands know of streams ends with the database that it was read from, also while they are at it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import pytest

from shared.commands.commands import Commands
from shared.events.event import Recorded
from shared.log.port import Append, Position
from tests.doubles.log import MemoryLog
from tests.shared.toy import ACCOUNT, ACT, CATALOGUE, account, close, deposit, open_account, stream

ONE = stream(1)


class RestoredLog(MemoryLog):
    """Goes back when it is next used: its connection is found broken, and the new one leads to another database."""

    commands: Commands
    to: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read_after: list[int] = []

    def go_back_at_next_use(self, version: int) -> None:
        self.to = version

    def _connect(self) -> None:
        if self.to is not None:
            kept = self.streams[ONE][: self.to]
            self.rows[kept[0].partition], self.streams[ONE] = list(kept), list(kept)
            self.to = None
            self.commands.forget()

    async def load(self, stream: UUID, after: int = 0) -> Sequence[Recorded]:
        self._connect()
        self.read_after.append(after)
        return await super().load(stream, after)

    async def append(self, request: Append) -> list[Position]:
        self._connect()
        return await super().append(request)


@pytest.fixture
async def log() -> RestoredLog:
    log = RestoredLog("toy")
    log.commands = Commands(log, CATALOGUE)
    await log.commands.execute(ACCOUNT, ONE, open_account, act=ACT)
    await log.commands.execute(ACCOUNT, ONE, partial(deposit, 5), act=ACT)
    await log.commands.execute(ACCOUNT, ONE, close, act=ACT)
    return log


async def test_a_look_shows_what_is_in_the_database_that_it_reached(log: RestoredLog) -> None:
    log.go_back_at_next_use(1)

    found = await log.commands.load(ACCOUNT, ONE)

    assert (found.version, account(found).balance, account(found).closed) == (1, 0, False)
    assert account(await log.commands.execute(ACCOUNT, ONE, partial(deposit, 7), act=ACT)).balance == 7


async def test_nobody_is_refused_what_only_the_former_database_ruled_out(log: RestoredLog) -> None:
    log.go_back_at_next_use(1)

    assert account(await log.commands.execute(ACCOUNT, ONE, partial(deposit, 7), act=ACT)).balance == 7


async def test_a_state_that_was_written_on_meanwhile_is_read_anew(log: RestoredLog) -> None:
    """It was decided on in one database and written to another, where only the version is known to be the same."""
    log.go_back_at_next_use(2)
    await log.commands.load(ACCOUNT, ONE)
    log.go_back_at_next_use(2)

    assert (await log.commands.execute(ACCOUNT, ONE, partial(deposit, 7), act=ACT)).version == 3

    log.read_after.clear()
    assert (await log.commands.load(ACCOUNT, ONE)).version == 3
    assert log.read_after == [0]
