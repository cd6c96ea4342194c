"""What a service does when another one speaks: orders that follow from events, carried out at least once.

A reaction is a view without tables: its fold is pure and answers orders, so positions, gaps and parking are those of
every view. Orders are carried out before the mark moves, so after a crash in between, or by a worker that has not heard
of its successor, they are carried out again. What an order makes has ids that derive from the event's, so the second
time finds it made. An order that is refused parks its event, to be replayed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from shared.commands import Act, Commands
from shared.decider import Decider
from shared.errors import Problem
from shared.event import Event, Recorded

if TYPE_CHECKING:
    from uuid import UUID

S = TypeVar("S")
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Order(Generic[S, E]):
    """A command on one stream that follows from an event.

    `decide` must answer [] where it was carried out before: a stream whose id is `derived_id(…, record.id)` can tell.
    """

    decider: Decider[S, E]
    stream: UUID
    decide: Callable[[S], list[E]]
    act: Act


def follow(record: Recorded, decider: Decider[S, E], stream: UUID, decide: Callable[[S], list[E]]) -> Order[S, E]:
    """The order that follows from a record: in its community, at its time, by nobody, caused by it."""
    return Order(decider, stream, decide, Act(record.community, None, record.occurred_at, causation=record.id))


Execute: TypeAlias = Callable[[Order[Any, Any]], Awaitable[None]]
"""Carries out one order. Raises `OrderRefused` for one that never can be."""


class OrderRefused(Exception):
    """The order cannot be carried out as things are, however often it is tried."""


async def carry_out(commands: Commands, order: Order[Any, Any]) -> None:
    """Execute it. Raises `OrderRefused` for what a caller of the API would be refused; other errors may pass."""
    try:
        await commands.execute(order.decider, order.stream, order.decide, act=order.act)
    except Problem as problem:
        if problem.status >= 500 or problem.retry_after is not None:
            raise
        raise OrderRefused(f"{problem.title}: {problem.detail}") from problem


async def no_orders(order: Order[Any, Any]) -> None:
    """For a store whose views only write rows."""
    raise OrderRefused(f"Nobody here carries out orders; this one is for a {order.decider.name}.")
