"""The view store in memory is a view store, and it notices when a fold breaks the algebra's rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.projections.read_model import put
from tests.doubles.view_store import MemoryReadModelStore
from tests.shared.board import FIRST, NOON
from tests.shared.projections.view_store_conformance import ROW, ViewStoreConformance, apply


@pytest.fixture
def store() -> MemoryReadModelStore:
    return MemoryReadModelStore()


class TestMemoryViewStore(ViewStoreConformance):
    pass


async def test_two_puts_of_one_row_with_one_version_must_be_equal(store: MemoryReadModelStore) -> None:
    await apply(store, put(FIRST, ROW, 1, at=NOON))
    await apply(store, put(FIRST, ROW, 1, at=NOON))

    with pytest.raises(AssertionError, match="two puts"):
        await apply(store, put(FIRST, ROW, 1, at=NOON + timedelta(1)))
