"""A small domain for the kernel's tests: an account that is opened, takes deposits and is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID, uuid5

from shared.commands.commands import CommandMetadata
from shared.commands.outcome import Outcome
from shared.events.catalogue import Catalogue
from shared.events.decider import Decider
from shared.events.errors import Conflict
from shared.events.event import Event
from shared.events.fact import Fact

COMMUNITY = UUID("00000000-0000-5000-8000-00000000c0de")
ALICE = UUID("00000000-0000-5000-8000-0000000a11ce")
BOB = UUID("00000000-0000-5000-8000-000000000b0b")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACT = CommandMetadata(COMMUNITY, ALICE, NOON)


class AccountOpened(Event, frozen=True, tag="guildhall.toy.account-opened.v1"):
    owner_id: UUID


class Deposited(Event, frozen=True, tag="guildhall.toy.deposited.v1"):
    amount: int


class AccountClosed(Event, frozen=True, tag="guildhall.toy.account-closed.v1"):
    pass


class NoteWritten(Event, frozen=True, tag="guildhall.toy.note-written.v1"):
    ref: UUID


CATALOGUE = Catalogue([AccountOpened, Deposited, AccountClosed, NoteWritten])

AccountEvent = AccountOpened | Deposited | AccountClosed


@dataclass(frozen=True, slots=True)
class Account:
    open: bool = False
    closed: bool = False
    balance: int = 0


NO_ACCOUNT = Account()


def evolve(state: Account | None, fact: Fact[AccountEvent]) -> Account:
    state = state or NO_ACCOUNT
    match fact.event:
        case AccountOpened():
            return replace(state, open=True)
        case Deposited(amount):
            return replace(state, balance=state.balance + amount)
        case AccountClosed():
            return replace(state, closed=True)
        case _:
            assert_never(fact.event)


ACCOUNT: Decider[Account, AccountEvent] = Decider("account", evolve)


@dataclass(frozen=True, slots=True)
class Notes:
    refs: tuple[UUID, ...] = ()


def evolve_notes(state: Notes | None, fact: Fact[NoteWritten]) -> Notes:
    return Notes((*(state.refs if state else ()), fact.event.ref))


NOTES: Decider[Notes, NoteWritten] = Decider("note", evolve_notes)


def account(found: Outcome[Account | None]) -> Account:
    """The account as a command left it."""
    return found.state or NO_ACCOUNT


def open_account(state: Account | None) -> list[AccountEvent]:
    return [] if state else [AccountOpened(ALICE)]


def deposit(amount: int, state: Account | None) -> list[AccountEvent]:
    if state is None or not state.open or state.closed:
        raise Conflict("The account is not open.")
    return [Deposited(amount)]


def close(state: Account | None) -> list[AccountEvent]:
    return [] if state and state.closed else [AccountClosed()]


def stream(number: int) -> UUID:
    return uuid5(COMMUNITY, str(number))
