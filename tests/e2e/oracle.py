"""The numbers of a dump, computed straight from its XML by the book and the slow way; nothing of the project is used.

Days are those of UTC. A user is the `Id` of the dump, as text; a post or comment without a user is nobody's, and so
is one by a user who is not in Users.xml. Points, scores and authority are in thousandths.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from datetime import date, timedelta
from functools import cached_property
from math import fsum
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

ACTIONS = ("thread", "reply", "comment", "acceptance", "reaction")
POINTS = {"up": 10, "down": -2, "acceptance": 15, "acceptance given": 2, "reply": 3, "comment": 2}
ORDER = tuple(POINTS)
DIRECTIONS = {"2": "up", "3": "down"}
CAPPED = {"up", "acceptance", "reply", "comment"}
"""Held back by the cap of a pair, and all but acceptances by that of a day."""
PAIR_CAP, DAY_CAP, HALF_LIFE, DAMPING = 40, 200, 90, 0.85


class Action(NamedTuple):
    day: date
    kind: str
    actor: str | None


class Fact(NamedTuple):
    """Responses of one sender to one receiver on one day, of one kind."""

    day: date
    receiver: str
    sender: str | None
    kind: str


class Standing(NamedTuple):
    """`ranked` is whether the member is among those who were here, are no robots, and did or received something."""

    ranked: bool
    score: int
    reach: int
    resonance: int
    authority: int
    percentile: float


class Oracle:
    """`members` gives the member id of each user: rules that go by the order of members go by them.

    `robots` are users who are marked as such.
    """

    def __init__(self, folder: Path, members: Mapping[str, str], robots: Set[str] = frozenset()) -> None:
        self.members = members
        self.robots = robots
        self.users = {row["Id"]: day_of(row) for row in rows(folder, "Users")}
        """The day each of them joined; nobody of a dump leaves."""
        self.posts = {row["Id"]: row for row in rows(folder, "Posts")}
        self.actions: list[Action] = []
        self.facts: Counter[Fact] = Counter()
        self._read(folder)

    def _user(self, id_: str | None) -> str | None:
        return id_ if id_ in self.users else None

    def _owner(self, post: Mapping[str, str]) -> str | None:
        return self._user(post.get("OwnerUserId"))

    def _kind(self, id_: str | None) -> str | None:
        """What a post is here: questions are threads, answers to a question that is there are replies."""
        post = self.posts.get(id_ or "", {})
        if post.get("PostTypeId") == "1":
            return "thread"
        if post.get("PostTypeId") == "2" and self._kind(post.get("ParentId")) == "thread":
            return "reply"
        return None

    def _read(self, folder: Path) -> None:
        for id_, post in self.posts.items():
            kind, owner = self._kind(id_), self._owner(post)
            if kind is not None:
                self.actions.append(Action(day_of(post), kind, owner))
            if kind == "reply":
                self._respond(day_of(post), self._owner(self.posts[post["ParentId"]]), owner, "reply")
        for row in rows(folder, "Comments"):
            if self._kind(row["PostId"]) is not None:
                author = self._user(row.get("UserId"))
                self.actions.append(Action(day_of(row), "comment", author))
                self._respond(day_of(row), self._owner(self.posts[row["PostId"]]), author, "comment")
        votes = rows(folder, "Votes")
        for row in votes:
            self._react(row)
        # Of several acceptances for a question the latest stands.
        for row in {self._question(row): row for row in sorted(votes, key=lambda row: row["CreationDate"])}.values():
            self._accept(row)

    def _react(self, row: Mapping[str, str]) -> None:
        if self._kind(row["PostId"]) is not None and row["VoteTypeId"] in DIRECTIONS:
            self.actions.append(Action(day_of(row), "reaction", None))
            owner = self._owner(self.posts[row["PostId"]])
            self._respond(day_of(row), owner, None, DIRECTIONS[row["VoteTypeId"]])

    def _question(self, row: Mapping[str, str]) -> str | None:
        """The question whose answer a vote accepts."""
        accepts = row["VoteTypeId"] == "1" and self._kind(row["PostId"]) == "reply"
        return self.posts[row["PostId"]]["ParentId"] if accepts else None

    def _accept(self, row: Mapping[str, str]) -> None:
        question = self._question(row)
        if question is None:
            return
        asker, author = self._owner(self.posts[question]), self._owner(self.posts[row["PostId"]])
        self.actions.append(Action(day_of(row), "acceptance", asker))
        self._respond(day_of(row), author, asker, "acceptance")
        if None not in (asker, author) and asker != author:
            self._respond(day_of(row), asker, None, "acceptance given")

    def _respond(self, day: date, receiver: str | None, sender: str | None, kind: str) -> None:
        if receiver is not None and receiver != sender:
            self.facts[Fact(day, receiver, sender, kind)] += 1

    # activity

    @cached_property
    def _active(self) -> dict[date, set[str]]:
        active = defaultdict(set)
        for action in self.actions:
            if action.actor is not None and action.actor not in self.robots:
                active[action.day].add(action.actor)
        return active

    @cached_property
    def _first_days(self) -> Counter[date]:
        first: dict[str, date] = {}
        for day in sorted(self._active):
            for member in self._active[day]:
                first.setdefault(member, day)
        return Counter(first.values())

    @cached_property
    def _counts(self) -> Counter[tuple[date, str]]:
        return Counter((action.day, action.kind) for action in self.actions)

    def active_within(self, day: date, days: int) -> int:
        """Distinct members active in [day - days + 1, day]."""
        return len(set().union(*(self._active.get(day - timedelta(back), set()) for back in range(days))))

    def activity(self, day: date) -> dict[str, object]:
        """One point of the daily series, as the API words it."""
        daily, monthly = self.active_within(day, 1), self.active_within(day, 30)
        return {
            "day": day.isoformat(),
            "actions": {kind: self._counts[day, kind] for kind in ACTIONS},
            "active": {"day": daily, "week": self.active_within(day, 7), "month": monthly},
            "stickiness": daily / monthly if monthly else 0.0,
            "new_members": self._first_days[day],
            "returning_members": daily - self._first_days[day],
        }

    def days(self) -> list[date]:
        """Every day from the first action to the last."""
        first, last = min(a.day for a in self.actions), max(a.day for a in self.actions)
        return [first + timedelta(n) for n in range((last - first).days + 1)]

    # influence

    @cached_property
    def scored(self) -> dict[Fact, int]:
        """Points of each fact row, in whole points, after the caps of its day."""
        points = {fact: POINTS[fact.kind] * count for fact, count in self.facts.items()}
        of_pairs = [fact for fact in points if fact.sender and fact.kind in CAPPED]
        of_days = [fact for fact in points if fact.kind in CAPPED - {"acceptance"}]
        self._cap(points, PAIR_CAP, of_pairs, lambda f: (f.day, f.receiver, f.sender))
        self._cap(points, DAY_CAP, of_days, lambda f: (f.day, f.receiver))
        return points

    def _cap(self, points: dict[Fact, int], cap: int, facts: list[Fact], group: object) -> None:
        """Let the facts of a group have `cap` points together, in their order: known senders by id, then unknown."""
        assert callable(group)
        spent: Counter[object] = Counter()
        for fact in sorted(facts, key=self._turn):
            points[fact] = min(points[fact], cap - spent[group(fact)])
            spent[group(fact)] += points[fact]

    def _turn(self, fact: Fact) -> tuple[bool, str, int]:
        return fact.sender is None, self.members[fact.sender] if fact.sender else "", ORDER.index(fact.kind)

    def influence(self, as_of: date) -> dict[str, Standing]:
        """Every member who has a score on that day, by user."""
        past = {fact: points for fact, points in self.scored.items() if fact.day <= as_of}
        recent = {fact: points for fact, points in past.items() if fact.day >= as_of - timedelta(364)}
        resonance: Counter[str] = Counter()
        for fact, points in past.items():
            resonance[fact.receiver] += int(points * 1000 * 2.0 ** (-(as_of - fact.day).days / HALF_LIFE))
        responders = defaultdict(set)
        for fact in recent:
            if fact.sender is not None and fact.sender not in self.robots:
                responders[fact.receiver].add(fact.sender)
        present = self._present(as_of, recent)
        authority = self.authority(present, recent)
        scores = {
            member: 5000 * len(responders[member]) + resonance[member] + authority.get(member, 0)
            for member in present | set(resonance) | set(responders)
        }
        return {
            member: Standing(
                member in present,
                score,
                len(responders[member]),
                resonance[member],
                authority.get(member, 0),
                share(sum(scores[other] < score for other in present), len(present)),
            )
            for member, score in scores.items()
        }

    def _present(self, as_of: date, recent: Iterable[Fact]) -> set[str]:
        """Who was a member, is no robot, and gave or received a response in the window, or acted in it."""
        window = (as_of - timedelta(364), as_of)
        acted = {a.actor for a in self.actions if a.actor is not None and window[0] <= a.day <= window[1]}
        known = acted | {member for fact in recent for member in (fact.receiver, fact.sender) if member is not None}
        return {member for member in known - self.robots if self.users[member] <= as_of}

    def authority(self, present: set[str], recent: Mapping[Fact, int]) -> dict[str, int]:
        """PageRank over positive points given, in thousandths, 100.000 on average, shared out by largest remainder."""
        if not present:
            return {}
        given: dict[str, Counter[str]] = defaultdict(Counter)
        for fact, points in recent.items():
            if points > 0 and fact.sender in present and fact.receiver in present:
                assert fact.sender is not None
                given[fact.sender][fact.receiver] += points
        rank = page_rank(sorted(present), given)
        whole = len(present) * 100_000
        exact = {member: rank[member] * whole / fsum(rank.values()) for member in present}
        shares = {member: int(share) for member, share in exact.items()}
        # Equal members' ranks may differ in their last bits: remainders that agree to three digits are equal.
        by_remainder = sorted(
            present, key=lambda member: (-round(exact[member] - shares[member], 3), self.members[member])
        )
        for member in by_remainder[: whole - sum(shares.values())]:
            shares[member] += 1
        return shares


def share(part: int, whole: int) -> float:
    """Between 0 and 1, in steps of 1/10,000, rounded down."""
    return part * 10_000 // whole / 10_000 if whole else 0.0


def page_rank(members: list[str], given: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Power iteration; who gives nothing gives to all alike. Adds up to 1."""
    count = len(members)
    rank = dict.fromkeys(members, 1 / count)
    totals = {sender: sum(weights.values()) for sender, weights in given.items()}
    for _ in range(400):
        idle = fsum(rank[member] for member in members if not totals.get(member))
        base = (1 - DAMPING + DAMPING * idle) / count
        incoming: dict[str, list[float]] = defaultdict(list)
        for sender, weights in given.items():
            for receiver, weight in weights.items():
                incoming[receiver].append(DAMPING * rank[sender] * weight / totals[sender])
        after = {member: base + fsum(incoming[member]) for member in members}
        moved = fsum(abs(after[member] - rank[member]) for member in members)
        rank = after
        if moved < 1e-15:
            break
    return rank


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    plain = folder / f"{table}.xml"
    if plain.exists():
        return [row.attrib for row in ET.parse(plain).getroot()]
    with gzip.open(folder / f"{table}.xml.gz") as file:
        return [row.attrib for row in ET.parse(file).getroot()]


def day_of(row: Mapping[str, str]) -> date:
    return date.fromisoformat(row["CreationDate"][:10])
