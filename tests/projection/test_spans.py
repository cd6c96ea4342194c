"""What is asked by spans of days is looked up span by span, however large the table and however the plan is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.activity.daybook import ACTIONS, MEMBERS
from services.projection.app import SERVICE
from services.projection.days import SLOTS_A_DAY
from services.projection.influence.loading import ROWS
from services.projection.policies import KINDS
from shared.db import Driver, create_engine, driver
from tests.conftest import FreshDatabase

FIRST, DAYS, COMMUNITIES, A_DAY = 17_000, 400, 40, 24
COMMUNITY = UUID(int=1)

_COMMUNITY = "lpad(to_hex(c), 32, '0')::uuid"
_SLOTS = f"generate_series({FIRST * SLOTS_A_DAY}, {(FIRST + DAYS) * SLOTS_A_DAY - 1}, {SLOTS_A_DAY // A_DAY})"
_EVERY_HOUR = f"generate_series(1, {COMMUNITIES}) as c, {_SLOTS} as slot"
_FACT = f"select {_COMMUNITY}, slot, md5(slot::text)::uuid, md5(c::text)::uuid, 'reply', 1 from {_EVERY_HOUR}"
FILL = [
    f"insert into action_count (community, slot, kind, n) select {_COMMUNITY}, slot, 'replied', 1 from {_EVERY_HOUR}",
    f"insert into active_members (community, slot, members) select {_COMMUNITY}, slot, '' from {_EVERY_HOUR}",
    f"insert into response (community, slot, receiver, sender, kind, n) {_FACT}",
    "insert into response_withdrawal (community, withdrawn_slot, slot, receiver, sender, kind, n)"
    " select community, slot, slot, receiver, sender, kind, n from response",
]


@pytest.fixture
async def db(fresh_database: FreshDatabase) -> AsyncIterator[Driver]:
    async with fresh_database(SERVICE.metadata) as settings:
        engine: AsyncEngine = create_engine(settings, "projection")
        async with driver(engine) as db:
            await db.execute("set statement_timeout = '60s'")
            for statement in FILL:
                await db.execute(statement, timeout=60)
            await db.execute("analyze", timeout=60)
            yield db
        await engine.dispose()


async def test_days_are_looked_up_one_by_one_in_a_table_of_many_communities(db: Driver) -> None:
    for mode in ("force_custom_plan", "force_generic_plan"):
        await db.execute(f"set plan_cache_mode = {mode}")
        for asked in (1, 10, 30, 366):
            days = [*range(FIRST + DAYS - asked, FIRST + DAYS)]
            spans = [days, [day * SLOTS_A_DAY for day in days], [(day + 1) * SLOTS_A_DAY for day in days]]
            for statement, arguments, tables in (
                (ACTIONS, spans, 1),
                (MEMBERS, spans, 1),
                (ROWS, [days, SLOTS_A_DAY, list(KINDS)], 2),
            ):
                there = tables * asked * A_DAY
                looked_at = await _rows_looked_at(db, statement, [COMMUNITY, *arguments])
                assert there <= looked_at <= 2 * there, (mode, asked, statement)


async def _rows_looked_at(db: asyncpg.Connection[asyncpg.Record], statement: str, arguments: list[Any]) -> int:
    """Rows of tables that the plan came by, those included that it threw away."""
    explained = await db.fetchval(f"explain (analyze, format json) {statement}", *arguments)
    return round(_of(explained[0]["Plan"]))


def _of(node: Mapping[str, Any]) -> float:
    mine = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    if node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"):
        mine += node["Actual Rows"]
    return float(mine * node["Actual Loops"] + sum(map(_of, node.get("Plans", []))))
