"""A process manager of the toy domain: who opens an account is given another one, at once or later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.commands.decisions import Basis
from shared.events.decider import Decider
from shared.events.event import Recorded
from shared.events.identity import derived_id
from shared.processes.process_manager import OutgoingCommand, Timer
from shared.projections.read_model import process_manager
from tests.shared.toy import ACCOUNT, ALICE, Account, AccountOpened, Deposited


class Give(OutgoingCommand, frozen=True):
    """A gift because that account was opened."""

    because_of: UUID
    amount: int = 5

    def target(self, community: UUID) -> tuple[Decider[Account, Any], UUID]:
        return ACCOUNT, gift_of(self.because_of)

    def decide(self, state: Account | None, at: datetime) -> list[Any]:
        IN_THE_WAY(self)
        return [] if state else [AccountOpened(ALICE), Deposited(self.amount)]


class Match(OutgoingCommand, frozen=True):
    """As much as lies in another account; decided on both."""

    account: UUID

    def target(self, community: UUID) -> tuple[Decider[Account, Any], UUID]:
        return ACCOUNT, derived_id("match", self.account)

    def on(self, community: UUID) -> Sequence[Basis]:
        return [(ACCOUNT, self.account)]

    def decide(self, state: Account | None, at: datetime, other: Account) -> list[Any]:
        return [] if state else [AccountOpened(ALICE), Deposited(other.balance)]


class _InTheWay:
    """What a test puts in the way of gifts."""

    def __init__(self) -> None:
        self.of: Callable[[Give], object] = lambda _: None

    def __call__(self, gift: Give) -> None:
        self.of(gift)


IN_THE_WAY = _InTheWay()


def gift_of(account: UUID) -> UUID:
    """The gift that is made because an account was opened."""
    return derived_id("gift", account)


def give(event: AccountOpened, record: Recorded) -> Iterator[OutgoingCommand]:
    """A gift is no account that was opened."""
    if record.causation is None:
        yield Give(record.stream)


def give_later(event: AccountOpened, record: Recorded) -> Iterator[Timer]:
    if record.causation is None:
        yield Timer(record.recorded_at + timedelta(hours=1), Give(record.stream))


GIFTS = process_manager("gifts", give, [Give, Match])
LATE_GIFTS = process_manager("late gifts", give_later, [Give])
