"""A decider folds events into a state, and gives their times to one whose state holds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.commands.commands import CommandMetadata, Commands
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.event import Event, wire_name
from shared.events.identity import derived_id
from tests.doubles.log import MemoryLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, BELL = derived_id("community", "town"), derived_id("bell", "town")


class Rang(Event, frozen=True, tag="guildhall.toy.rang.v1"):
    pass


def evolve(state: tuple[datetime, ...], event: Rang, at: datetime) -> tuple[datetime, ...]:
    return (*state, at)


RINGING: Decider[tuple[datetime, ...], Rang] = Decider("bell", (), evolve)


def test_a_dated_decider_knows_its_events_and_their_times() -> None:
    assert RINGING.types == {wire_name(Rang)}
    assert RINGING.fold([Rang(), Rang()], times=[NOON, NOON + timedelta(hours=1)]) == (NOON, NOON + timedelta(hours=1))


def test_a_dated_decider_is_not_folded_without_times() -> None:
    with pytest.raises(ValueError, match="shorter"):
        RINGING.fold([Rang()])


async def test_commands_give_the_times_of_what_is_written_and_of_what_is_read() -> None:
    log = MemoryLog("toy")
    writing, reading = Commands(log, Catalogue([Rang])), Commands(log, Catalogue([Rang]))
    for hour in range(2):
        act = CommandMetadata(HERE, None, NOON + timedelta(hours=hour))
        written = await writing.execute(RINGING, BELL, lambda state: [Rang()], act=act)
    read = await reading.load(RINGING, BELL)
    assert written.state == read.state == (NOON, NOON + timedelta(hours=1))
