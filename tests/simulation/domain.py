"""A small service to be simulated: every event carries a fact of its own, so that losing or doubling one is seen.

Accounts take deposits from everybody and cannot tell a repeated one; a switch is one client's alone and must be as that
client left it; a note has words in the vault, and whoever writes one is thanked by a process manager, unless the thanks
can never be given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID, uuid5

import sqlalchemy as sa

from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.errors import Conflict
from shared.events.event import Event, Recorded
from shared.events.fact import Fact
from shared.events.identity import derived_id
from shared.processes.process_manager import OutgoingCommand, Timer
from shared.projections.read_model import Change, ReadModel, add, include, process_manager, put
from shared.projections.read_model_table import read_model_table
from shared.tables import service_metadata

SERVICE = "ledger"
PARTITIONS = 3
ROOT = UUID("00000000-0000-5000-8000-00000000f00d")
COMMUNITY = uuid5(ROOT, "community")
UNLUCKY = 13
"""No view can fold a deposit of this amount: it is parked, and what follows it in its stream."""


class Deposited(Event, frozen=True, tag="guildhall.ledger.deposited.v1"):
    fact: UUID
    member: UUID
    amount: int


class Turned(Event, frozen=True, tag="guildhall.ledger.turned.v1"):
    fact: UUID
    on: bool


class NotedV1(Event, frozen=True, tag="guildhall.ledger.noted.v1"):
    fact: UUID


class Noted(Event, frozen=True, tag="guildhall.ledger.noted.v2"):
    """Written by a release that is newer than the view `count`."""

    fact: UUID
    ref: UUID

    @classmethod
    def upcast(cls, older: NotedV1) -> Noted:
        return cls(older.fact, older.fact)


class Thanked(Event, frozen=True, tag="guildhall.ledger.thanked.v1"):
    fact: UUID


LedgerEvent = Deposited | Turned | Noted | Thanked
FormerEvent = Deposited | Turned | NotedV1 | Thanked
CATALOGUE = Catalogue([Deposited, Turned, Noted, Thanked])


@dataclass(frozen=True, slots=True)
class Account:
    balance: int = 0


def evolve_account(state: Account | None, fact: Fact[Deposited]) -> Account:
    return Account((state.balance if state else 0) + fact.event.amount)


@dataclass(frozen=True, slots=True)
class Switch:
    on: bool = False


def evolve_switch(_: Switch | None, fact: Fact[Turned]) -> Switch:
    return Switch(fact.event.on)


@dataclass(frozen=True, slots=True)
class Once:
    """What happens once: a note, or thanks for one."""


def evolve_note(_: Once | None, fact: Fact[Noted]) -> Once:
    return Once()


def evolve_thanks(_: Once | None, fact: Fact[Thanked]) -> Once:
    return Once()


ACCOUNT: Decider[Account, Deposited] = Decider("account", evolve_account)
SWITCH: Decider[Switch, Turned] = Decider("switch", evolve_switch)
NOTE: Decider[Once, Noted] = Decider("note", evolve_note)
THANKS: Decider[Once, Thanked] = Decider("thanks", evolve_thanks)


def is_on(switch: Switch | None) -> bool:
    """Whether a switch is on; one that nobody has touched is off."""
    return switch is not None and switch.on


def turn(fact: UUID, on: bool, state: Switch | None) -> list[Turned]:
    return [] if is_on(state) == on else [Turned(fact, on)]


def require(on: bool, state: Switch | None) -> list[Turned]:
    if is_on(state) != on:
        raise Conflict("The switch is not as it should be.")
    return []


def note(fact: UUID, ref: UUID, state: Once | None) -> list[Noted]:
    return [] if state else [Noted(fact, ref)]


def thankless(fact: UUID) -> bool:
    """Whether thanks for that note are refused whenever they are given, and each time with the advice to try again."""
    return fact.int % 8 == 0


def thanked_later(fact: UUID) -> bool:
    """Whether thanks for that note wait for their time."""
    return fact.int % 3 == 0


LATER = timedelta(seconds=3)


class Thank(OutgoingCommand, frozen=True):
    """Thanks for a note, which the log has under the id `note`."""

    fact: UUID
    note: UUID

    def target(self, community: UUID) -> tuple[Decider[Once, Thanked], UUID]:
        return THANKS, derived_id("thanks", self.note)

    def decide(self, state: Once | None, at: datetime) -> list[Thanked]:
        if thankless(self.fact):
            raise Conflict("Nobody takes these thanks.", retry_after=1)
        return [] if state else [Thanked(thanks_for(self.fact))]


def thank(event: Noted, record: Recorded) -> Iterator[OutgoingCommand | Timer]:
    """Whoever writes a note is thanked, once, at once or when it is time."""
    command = Thank(event.fact, record.id)
    yield Timer(record.recorded_at + LATER, command) if thanked_later(event.fact) else command


def thanks_for(fact: UUID) -> UUID:
    return uuid5(fact, "thanks")


METADATA = service_metadata(facts=True)
FACT = read_model_table("fact", METADATA, key=[sa.Column("community", sa.Uuid), sa.Column("fact", sa.Uuid)], add=["n"])
STREAM = read_model_table(
    "stream",
    METADATA,
    key=[sa.Column("community", sa.Uuid), sa.Column("stream", sa.Uuid)],
    put=[sa.Column("last", sa.Uuid), sa.Column("on", sa.Boolean)],
    add=["events", "amount"],
    include=["members"],
)
TALLY = read_model_table(
    "tally", METADATA, key=[sa.Column("community", sa.Uuid), sa.Column("fact", sa.Uuid)], add=["n"]
)


def fold(event: LedgerEvent, record: Recorded) -> Iterator[Change]:
    here, row = record.community, (record.community, record.stream)
    yield add(FACT, (here, event.fact), n=1)
    match event:
        case Deposited(fact, member, amount):
            if amount == UNLUCKY:
                raise ValueError("This amount cannot be folded.")
            yield add(STREAM, row, events=1, amount=amount)
            yield put(STREAM, row, record.version, last=fact)
            yield include(STREAM, row, "members", member)
        case Turned(fact, on):
            yield add(STREAM, row, events=1)
            yield put(STREAM, row, record.version, last=fact, on=on)
        case Noted(fact) | Thanked(fact):
            yield put(STREAM, row, record.version, last=fact)
        case _:
            assert_never(event)


def count(event: FormerEvent, record: Recorded) -> Iterator[Change]:
    yield add(TALLY, (record.community, event.fact), n=1)


BOOKS = ReadModel("books", (FACT, STREAM), fold)
COUNT = ReadModel("count", (TALLY,), count)
THANK = process_manager("thank", thank, [Thank])

FACT_TABLES = {"books": "fact", "count": "tally"}
"""By view, the table that counts each fact."""
