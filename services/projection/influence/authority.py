"""Authority is weighted PageRank over who responded to whom, scaled so that the mean member has 100 points.

Page, Brin, Motwani, Winograd: The PageRank Citation Ranking (1999), with damping 0.85; a member who gave nobody
anything ("dangling") spreads their rank evenly over all. In thousandths it is rounded by largest remainder, so that
the whole adds up to exactly 100,000 a member.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers
from services.projection.influence.facts import starts_of

DAMPING = 0.85
MEAN = 100_000
"""Thousandths of a point that the mean member has."""

_TOLERANCE = 1e-12
_ROUNDS = 1_000
_BLOCKS = 8

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Authority:
    """Of a population of members numbered from 0: thousandths by member, and what they are made of.

    `base` is the share of rank that everybody has; a point from a member gives `per_point` of rank to its receiver. For
    each member, base and what the points they were given are worth add up to their rank.
    """

    thousandths: Integers
    base: float
    per_point: Floats


def authority(members: int, sender: Integers, receiver: Integers, weight: Integers) -> Authority:
    """Authority by edges of positive weight, sorted by receiver, each pair of members once.

    Block Gauss-Seidel: members are gone through in blocks, each with the newest ranks of those before it. That takes
    two thirds of the rounds of the plain power iteration to the same ranks. No call holds Python's lock for long.
    """
    if not members:
        return Authority(np.zeros(0, np.int64), 0.0, np.zeros(0))
    given = np.bincount(sender, weight, members)
    share = DAMPING * weight / given[sender]
    dangling = np.flatnonzero(given == 0)
    blocks = list(_blocks(sender, receiver, share))
    nothing = np.ones(members, np.bool_)
    nothing[receiver] = False
    rank = np.full(members, 1 / members)
    for _ in range(_ROUNDS):
        base = (1 - DAMPING + DAMPING * float(rank[dangling].sum())) / members
        before = rank.copy()
        rank[nothing] = base
        for block in blocks:
            np.take(rank, block.sender, out=block.flow, mode="clip")
            np.multiply(block.flow, block.share, out=block.flow)
            rank[block.receiver] = np.add.reduceat(block.flow, block.starts) + base
        rank /= rank.sum()
        if float(np.abs(rank - before).sum()) <= _TOLERANCE:
            break
    base = (1 - DAMPING + DAMPING * float(rank[dangling].sum())) / members
    per_point = np.divide(DAMPING * rank, given, out=np.zeros(members), where=given > 0)
    return Authority(apportioned(MEAN * members, rank), base, per_point)


@dataclass(frozen=True, slots=True)
class _Block:
    """Some receivers, the edges to them, and where among these each receiver's begin."""

    receiver: Integers
    sender: Integers
    share: Floats
    starts: Integers
    flow: Floats


def _blocks(sender: Integers, receiver: Integers, share: Floats) -> Iterator[_Block]:
    starts = starts_of(receiver)
    for some in np.array_split(np.arange(len(starts)), _BLOCKS):
        if len(some):
            first, last = some[0], some[-1] + 1
            edges = slice(starts[first], starts[last] if last < len(starts) else len(sender))
            of_edges = share[edges]
            yield _Block(receiver[starts[some]], sender[edges], of_edges, starts[some] - edges.start, of_edges.copy())


def apportioned(total: int, parts: Floats) -> Integers:
    """Whole numbers in proportion to `parts` (positive) that add up to `total`, by largest remainder.

    Equal remainders are served in the order of the parts; those are equal that differ by less than a thousandth.
    """
    exact = parts * (total / float(parts.sum()))
    whole = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    # A float's last bit may put the floors one above the total; then the smallest remainder gives.
    step = 1 if missing >= 0 else -1
    remainder = np.round(exact - whole, 3) * step
    whole[_largest(remainder, abs(missing))] += step
    return whole


def _largest(values: Floats, count: int) -> Integers:
    """Where the `count` largest are, the first ones of equal values. Found without sorting all of them."""
    if not count:
        return np.zeros(0, np.int64)
    least = np.partition(values, len(values) - count)[len(values) - count]
    larger = np.flatnonzero(values > least)
    return np.concatenate([larger, np.flatnonzero(values == least)[: count - len(larger)]])
