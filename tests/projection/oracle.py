"""The definitions of product.md, computed a second time: plain loops over plain histories, exact fractions, no arrays.

Nothing of the code under test is used here, so that a mistake would have to be made twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

POINTS = {
    "positive_reaction": 10,
    "negative_reaction": -2,
    "acceptance": 15,
    "acceptance_given": 2,
    "reply": 3,
    "comment": 2,
    "share": 8,
    "check_in": 4,
    "referral": 20,
}
ORDER = list(POINTS)


@dataclass(frozen=True)
class Brought:
    """By whom something was brought in, and when."""

    by: UUID
    at: datetime


@dataclass(frozen=True)
class Response:
    """One member (or nobody known) acting on another's work, taken back later or not.

    `post` is the reply or comment that it is, or the post that it was given to. `brought` is None for what was done
    here, as `withdrawal_brought` is for a withdrawal.
    """

    at: datetime
    kind: str
    sender: UUID | None
    receiver: UUID
    withdrawn_at: datetime | None = None
    post: UUID | None = None
    brought: Brought | None = None
    withdrawal_brought: Brought | None = None


@dataclass(frozen=True)
class Action:
    """`thing` is what was given, where it can be taken back and given again."""

    at: datetime
    kind: str
    member: UUID | None
    thing: UUID | None = None
    brought: Brought | None = None


@dataclass(frozen=True)
class World:
    """What stands on what, what was deleted when, who was a member from when to when, who is a robot, and whose imports
    are withdrawn until when.
    """

    parents: Mapping[UUID, UUID] = field(default_factory=dict)
    deleted: Mapping[UUID, datetime] = field(default_factory=dict)
    stays: Mapping[UUID, Sequence[tuple[datetime, datetime | None]]] = field(default_factory=dict)
    robots: Set[UUID] = frozenset()
    withdrawn: Mapping[UUID, datetime] = field(default_factory=dict)

    def counts(self, brought: Brought | None) -> bool:
        """Whether it was done here or brought in later than in the quarter of an hour until which that is withdrawn."""
        until = None if brought is None else self.withdrawn.get(brought.by)
        return brought is None or until is None or brought.at.timestamp() // 900 > until.timestamp() // 900

    def stands(self, post: UUID | None, zone: ZoneInfo, day: date) -> bool:
        """Whether neither the post nor anything it stands on was deleted by the end of a day."""
        while post is not None:
            if post in self.deleted and self.deleted[post].astimezone(zone).date() <= day:
                return False
            post = self.parents.get(post)
        return True

    def takes_part(self, member: UUID, zone: ZoneInfo, day: date) -> bool:
        """Whether somebody is a member at the end of a day, and no robot."""
        return member not in self.robots and any(
            joined.astimezone(zone).date() <= day and (left is None or left.astimezone(zone).date() > day)
            for joined, left in self.stays.get(member, ())
        )


@dataclass(frozen=True)
class Influence:
    """`authority` is the exact share in thousandths, before rounding."""

    reach: int
    resonance: int
    authority: Fraction
    in_population: bool


Row = tuple[date, UUID, UUID | None, str, UUID | None]
"""Day, receiver, sender, kind, and who brought it in."""


def facts_as_of(history: Iterable[Response], zone: ZoneInfo, day: date, world: World) -> dict[Row, int]:
    net: defaultdict[Row, int] = defaultdict(int)
    for response in history:
        if response.receiver == response.sender or response.at.astimezone(zone).date() > day:
            continue
        if not world.counts(response.brought):
            continue
        if (
            response.withdrawn_at is not None
            and response.withdrawn_at.astimezone(zone).date() <= day
            and world.counts(response.withdrawal_brought)
        ):
            continue
        if not world.stands(response.post, zone, day):
            continue
        by = response.brought.by if response.brought else None
        net[response.at.astimezone(zone).date(), response.receiver, response.sender, response.kind, by] += 1
    return dict(net)


def points(facts: dict[Row, int]) -> dict[Row, int]:
    facts = dict(facts)
    for (day, _, sender, kind, by), count in list(facts.items()):
        if kind == "acceptance" and sender is not None:
            given = (day, sender, None, "acceptance_given", by)
            facts[given] = facts.get(given, 0) + count

    def place(row: Row) -> tuple[bool, int, bool, int, int]:
        """What was done here has its points before what was brought in."""
        _, _, sender, kind, by = row
        return by is not None, by.int if by else 0, sender is None, sender.int if sender else 0, ORDER.index(kind)

    from_sender: defaultdict[tuple[date, UUID, UUID], int] = defaultdict(int)
    to_receiver: defaultdict[tuple[date, UUID], int] = defaultdict(int)
    earned: dict[Row, int] = {}
    for row in sorted(facts, key=place):
        day, receiver, sender, kind, _ = row
        value = facts[row] * POINTS[kind]
        if value > 0 and sender is not None:
            value = min(value, 40 - from_sender[day, receiver, sender])
            from_sender[day, receiver, sender] += value
        if value > 0 and not kind.startswith("acceptance"):
            value = min(value, 200 - to_receiver[day, receiver])
            to_receiver[day, receiver] += value
        earned[row] = value
    return earned


def influence(
    history: Sequence[Response], actions: Sequence[Action], zone: ZoneInfo, day: date, world: World
) -> dict[UUID, Influence]:
    earned = points(facts_as_of(history, zone, day, world))
    start = day - timedelta(days=364)
    responders: defaultdict[UUID, set[UUID]] = defaultdict(set)
    resonance: defaultdict[UUID, int] = defaultdict(int)
    edges: dict[tuple[UUID, UUID], int] = defaultdict(int)
    counting = [a for a in actions if world.counts(a.brought)]
    population = {a.member for a in counting if a.member is not None and start <= a.at.astimezone(zone).date() <= day}
    for (then, receiver, sender, kind, _), value in earned.items():
        resonance[receiver] += int(value * 1000 * 2.0 ** (-(day - then).days / 90))
        if then >= start and kind != "acceptance_given":
            population.add(receiver)
            if sender is not None:
                population.add(sender)
                if sender not in world.robots:
                    responders[receiver].add(sender)
                if value > 0:
                    edges[sender, receiver] += value
    everybody = {*population, *resonance}
    population = {member for member in population if world.takes_part(member, zone, day)}
    edges = {pair: weight for pair, weight in edges.items() if population.issuperset(pair)}
    rank = page_rank(sorted(population, key=lambda m: m.int), edges)
    return {
        member: Influence(
            len(responders[member]),
            resonance[member],
            rank.get(member, Fraction(0)) * len(population) * 100_000,
            member in population,
        )
        for member in everybody
    }


def page_rank(members: Sequence[UUID], edges: dict[tuple[UUID, UUID], int]) -> dict[UUID, Fraction]:
    """The exact solution of rank = (1 - d) / n + d × (what flows in + dangling / n), by elimination."""
    size, damping = len(members), Fraction(85, 100)
    given = {m: sum(w for (s, _), w in edges.items() if s == m) for m in members}
    matrix = [[Fraction(0)] * size + [(1 - damping) / size] for _ in members]
    for row, receiver in enumerate(members):
        matrix[row][row] += 1
        for column, sender in enumerate(members):
            if given[sender] == 0:
                matrix[row][column] -= damping / size
            elif (sender, receiver) in edges:
                matrix[row][column] -= damping * Fraction(edges[sender, receiver], given[sender])
    for pivot in range(size):
        best = next(r for r in range(pivot, size) if matrix[r][pivot] != 0)
        matrix[pivot], matrix[best] = matrix[best], matrix[pivot]
        matrix[pivot] = [value / matrix[pivot][pivot] for value in matrix[pivot]]
        for other in range(size):
            if other != pivot and (factor := matrix[other][pivot]) != 0:
                matrix[other] = [a - factor * b for a, b in zip(matrix[other], matrix[pivot], strict=True)]
    return {member: matrix[row][size] for row, member in enumerate(members)}


@dataclass(frozen=True)
class DayActivity:
    """Sets of members rather than their sizes: who was active on the day, in its week and month, and who was new."""

    actions: dict[str, int]
    day: set[UUID]
    week: set[UUID]
    month: set[UUID]
    new: set[UUID]


def activity(every: Sequence[Action], zone: ZoneInfo, day: date, world: World) -> DayActivity:
    actions = [action for action in every if world.counts(action.brought)]

    def active(first: date, last: date) -> set[UUID]:
        within = (a.member for a in actions if first <= a.at.astimezone(zone).date() <= last)
        return {member for member in within if member is not None and member not in world.robots}

    counts: defaultdict[str, int] = defaultdict(int)
    given: set[tuple[str, UUID | None, UUID]] = set()
    for action in actions:
        if action.at.astimezone(zone).date() != day:
            continue
        if action.thing is not None:
            # What one gives, takes back and gives again on a day counts once.
            if (action.kind, action.member, action.thing) in given:
                continue
            given.add((action.kind, action.member, action.thing))
        counts[action.kind] += 1
    today = active(day, day)
    return DayActivity(
        dict(counts),
        today,
        active(day - timedelta(days=6), day),
        active(day - timedelta(days=29), day),
        today - active(date.min, day - timedelta(days=1)),
    )
