"""The short form of the scenarios that need no processes: counts are small, what must hold is exact."""

from __future__ import annotations

import gc

import pytest

from tests.faults.scenarios import gap_hunt, poison, silent_deaths, stalled_writer
from tests.stack import Stack

SEED = 4


# A backend that is killed while SQLAlchemy sets its connection up leaves that connection to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_no_reader_sees_a_position_before_the_one_below_it(stack: Stack) -> None:
    found = await gap_hunt.hunt(stack, 2_000, SEED, delay=0.3)
    gc.collect()

    assert (found.seen_early, found.wrong) == ([], [])
    assert found.events >= 2_000
    assert found.kills > 0


async def test_a_frozen_writer_gives_its_partition_back(stack: Stack) -> None:
    found = await stalled_writer.stall(stack, 1, calm=0.5)

    assert found.wrong == []
    assert len(found.free) == 1
    assert len(found.during) > 50  # the other partitions were written to all the while


async def test_every_line_moves_again_after_tasks_under_it_have_died(stack: Stack) -> None:
    found = await silent_deaths.deaths(stack, 1, SEED)

    assert found.wrong == []
    assert set(found.killed.values()) == {1}
    assert found.counted >= 2


async def test_what_cannot_be_folded_is_parked_exactly_and_healed_by_a_replay(stack: Stack) -> None:
    found = await poison.poisoned(stack, 3_000, SEED, rate=3_000)

    assert found.bad > 0
    assert found.strays > 0
    assert (found.parked, found.notes, found.noted_again) == (found.wanted, found.strays, found.strays)
    assert (found.healed, found.kept, found.equal) == (found.wanted, 0, True)
