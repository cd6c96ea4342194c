"""A decider folds facts into a state, the same whether they were just decided or read from the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import assert_never
from uuid import UUID

import pytest

from shared.commands.commands import CommandMetadata, Commands
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider, begun
from shared.events.errors import NotFound
from shared.events.event import Event, wire_name
from shared.events.fact import Fact
from shared.events.identity import derived_id
from tests.doubles.log import MemoryLog
from tests.given import facts
from tests.shared.toy import ALICE, BOB

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE, BELL = derived_id("community", "town"), derived_id("bell", "town")


class Hung(Event, frozen=True, tag="guildhall.toy.hung.v1"):
    pass


class Rang(Event, frozen=True, tag="guildhall.toy.rang.v1"):
    pass


@dataclass(frozen=True, slots=True)
class Bell:
    hung_by: UUID | None
    imported_by: UUID | None
    rang: tuple[Fact[Hung | Rang], ...] = ()


def evolve(state: Bell | None, fact: Fact[Hung | Rang]) -> Bell:
    match fact.event:
        case Hung():
            return Bell(fact.actor, fact.imported_by)
        case Rang():
            state = begun(state)
            return replace(state, rang=(*state.rang, fact))
        case _:
            assert_never(fact.event)


RINGING: Decider[Bell, Hung | Rang] = Decider("bell", evolve)


def test_a_decider_knows_its_events_and_folds_their_facts() -> None:
    assert RINGING.types == {wire_name(Hung), wire_name(Rang)}
    events: list[Hung | Rang] = [Hung(), Rang()]
    hung, rang = facts(events, actor=ALICE)
    assert RINGING.fold([hung, rang]) == RINGING.fold([rang], RINGING.fold([hung])) == Bell(ALICE, None, (rang,))
    assert RINGING.fold([]) is None


def test_what_has_not_begun_is_not_there() -> None:
    with pytest.raises(NotFound, match="There is no such bell"):
        RINGING.existing(None)
    assert RINGING.existing(Bell(None, None)) == Bell(None, None)


def test_who_answers_for_a_fact_is_who_brought_it_in_and_else_who_did_it() -> None:
    assert [fact.by for fact in facts([Rang()], actor=ALICE)] == [ALICE]
    assert [fact.by for fact in facts([Rang()], actor=ALICE, imported_by=BOB)] == [BOB]
    assert [fact.by for fact in facts([Rang()])] == [None]


async def test_commands_fold_what_they_write_into_what_is_read_later() -> None:
    log = MemoryLog("toy")
    writing, reading = Commands(log, Catalogue([Hung, Rang])), Commands(log, Catalogue([Hung, Rang]))
    elsewhere = timezone(timedelta(hours=5))
    for hour in range(3):
        at = (NOON + timedelta(hours=hour)).astimezone(elsewhere)
        act = CommandMetadata(HERE, ALICE, at, derived_id("cause") if hour == 2 else None, BOB if hour == 1 else None)
        written = await writing.execute(RINGING, BELL, lambda state: [Rang()] if state else [Hung(), Rang()], act=act)
    read = await reading.load(RINGING, BELL)
    assert (read.state, read.began, read.here) == (written.state, written.began, written.here)
    assert written.state is not None
    ids = [record.id for record in await log.load(BELL)]
    assert [(fact.version, fact.at, fact.actor, fact.imported_by, fact.id) for fact in written.state.rang] == [
        (2, NOON, ALICE, None, ids[1]),
        (3, NOON + timedelta(hours=1), ALICE, BOB, ids[2]),
        (4, NOON + timedelta(hours=2), ALICE, None, ids[3]),
    ]
    assert {fact.at.tzinfo for fact in written.state.rang} == {UTC}
