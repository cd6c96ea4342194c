"""A view says in its fold's types what it reads, and a time becomes a version that orders as time does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from shared.projections.generations import NEXT, following
from shared.projections.read_model import micros
from shared.projections.read_model_table import read_model_table
from tests.shared.board import BOARD, ITEM, VOTE_COUNT


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 0, 0, 1, 1, UTC), 1_000_001),
        (datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC), -500_000),
        (datetime(1970, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))), 0),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, UTC), 1_772_366_400_999_999),
    ],
)
def test_a_time_is_microseconds_since_1970(at: datetime, expected: int) -> None:
    assert micros(at) == expected


def test_a_view_reads_what_its_fold_takes() -> None:
    assert BOARD.sources == ("alpha", "beta")
    assert VOTE_COUNT.sources == ("beta",)
    assert set(VOTE_COUNT.catalogue.events) == {"guildhall.beta.voted.v1"}


def test_the_next_generation_is_the_same_view_under_another_name() -> None:
    second = following(BOARD)

    assert (second.name, second.generation) == ("board" + NEXT, "__next")
    assert (second.tables, second.sources) == (BOARD.tables, BOARD.sources)


def test_a_table_is_distributed_by_its_community() -> None:
    with pytest.raises(ValueError, match="community"):
        read_model_table("wrong", sa.MetaData(), key=[sa.Column("item", sa.Uuid)])
    assert [column.name for column in ITEM.primary_key] == ["community", "item"]
