"""Authority is weighted PageRank over who responded to whom, scaled so that the mean member has 100 points.

Page, Brin, Motwani, Winograd: The PageRank Citation Ranking (1999), with damping 0.85; a member who gave nobody
anything ("dangling") spreads their rank evenly over all. In thousandths it is rounded by largest remainder, so that
the whole adds up to exactly 100,000 a member.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.projection.days import Integers

DAMPING = 0.85
MEAN = 100_000
"""Thousandths of a point that the mean member has."""

_TOLERANCE = 1e-12
_ROUNDS = 1_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Authority:
    """Of a population of members numbered from 0: thousandths by member, and what they are made of.

    `base` is the share of rank that everybody has; edge i gives `flow[i]` of rank from `sender[i]` to `receiver[i]`,
    for `weight[i]` points. For each member, base and flows to them add up to their rank.
    """

    thousandths: Integers
    base: float
    sender: Integers
    receiver: Integers
    weight: Integers
    flow: Floats


def authority(members: int, sender: Integers, receiver: Integers, weight: Integers) -> Authority:
    """Authority by edges of positive weight, in a fixed order, each pair of members once."""
    if not members:
        return Authority(np.zeros(0, np.int64), 0.0, sender, receiver, weight, np.zeros(0))
    given = np.bincount(sender, weight, members)
    share = weight / given[sender]
    dangling = given == 0
    rank = np.full(members, 1 / members)
    for _ in range(_ROUNDS):
        base = (1 - DAMPING + DAMPING * float(rank[dangling].sum())) / members
        flow = DAMPING * share * rank[sender]
        following = base + np.bincount(receiver, flow, members)
        moved = float(np.abs(following - rank).sum())
        rank = following
        if moved <= _TOLERANCE:
            break
    return Authority(apportioned(MEAN * members, rank), base, sender, receiver, weight, flow)


def apportioned(total: int, parts: Floats) -> Integers:
    """Whole numbers in proportion to `parts` (positive) that add up to `total`, by largest remainder.

    Equal remainders are served in the order of the parts; those are equal that differ by less than a millionth.
    """
    exact = parts * (total / float(parts.sum()))
    whole = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    remainder = np.round(exact - whole, 6)
    # A float's last bit may put the floors one above the total; then the smallest remainder gives.
    order = np.lexsort((np.arange(len(parts)), -remainder if missing >= 0 else remainder))
    whole[order[: abs(missing)]] += 1 if missing >= 0 else -1
    return whole
