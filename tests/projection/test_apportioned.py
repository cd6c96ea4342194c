"""Whole numbers by largest remainder, as docs/metrics.md has it: exact in sum, ties in the order of the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projection.influence.authority import apportioned


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [
        (9, [1, 1, 1], [3, 3, 3]),
        (10, [1, 1, 1], [4, 3, 3]),
        (11, [1, 1, 1], [4, 4, 3]),
        (10, [1, 2, 1], [3, 5, 2]),
        (10, [3, 4, 9], [2, 2, 6]),  # 1.875, 2.5, 5.625: the largest remainders are served, wherever they stand
        (1, [1, 1, 8], [0, 0, 1]),
        (0, [1, 1], [0, 0]),
        (7, [5], [7]),
    ],
)
def test_what_is_missing_goes_to_the_largest_remainders_and_the_first_of_equals(
    total: int, parts: list[float], expected: list[int]
) -> None:
    assert apportioned(total, np.array(parts, np.float64)).tolist() == expected


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_the_whole_adds_up_and_nobody_is_a_unit_away_from_their_share(total: int, parts: list[int]) -> None:
    found = apportioned(total, np.array(parts, np.float64)).tolist()
    assert sum(found) == total
    assert all(abs(whole - total * part / sum(parts)) < 1 + 1e-6 for whole, part in zip(found, parts, strict=True))
