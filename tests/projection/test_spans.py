"""What is asked by spans of days is looked up span by span, however large the table and however the plan is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.projection.activity.activity_cache import ACTIONS, MEMBERS
from services.projection.app import SERVICE
from services.projection.days import SLOTS_A_DAY
from services.projection.influence.loading import CANCELLATIONS, ROWS
from services.projection.policies import KINDS
from shared.db import Driver, create_engine, driver
from shared.projections.read_model_table import NEVER
from tests.conftest import FreshDatabase

FIRST, DAYS, COMMUNITIES, A_DAY = 17_000, 400, 40, 24
COMMUNITY = UUID(int=1)
FILLED_IN = 300.0
"""Seconds for a statement that fills."""

_COMMUNITY = "lpad(to_hex(c), 32, '0')::uuid"
_SLOTS = f"generate_series({FIRST * SLOTS_A_DAY}, {(FIRST + DAYS) * SLOTS_A_DAY - 1}, {SLOTS_A_DAY // A_DAY})"
_EVERY_HOUR = f"generate_series(1, {COMMUNITIES}) as c, {_SLOTS} as slot"
_FACT = (
    f"select {_COMMUNITY}, slot, md5(slot::text)::uuid, md5(c::text)::uuid, 'reply', md5(c || ' ' || slot)::uuid, 1"
    f" from {_EVERY_HOUR}"
)
FILL = [
    f"insert into action_count (community, slot, kind, n) select {_COMMUNITY}, slot, 'replied', 1 from {_EVERY_HOUR}",
    f"insert into active_members (community, slot, members) select {_COMMUNITY}, slot, '' from {_EVERY_HOUR}",
    f"insert into response (community, slot, receiver, sender, kind, post, n) {_FACT}",
    "insert into response_withdrawal (community, withdrawn_slot, slot, receiver, sender, kind, post, n)"
    " select community, slot, slot, receiver, sender, kind, post, n from response",
    # Of each community one thread with a reply of every hour, and two of these with a comment, which is gone too.
    f"insert into post_parent (community, parent, post, n) select {_COMMUNITY}, md5(c::text)::uuid,"
    f" md5(c || ' ' || slot)::uuid, 1 from {_EVERY_HOUR}",
    "insert into post_deletion (community, post, slot, version)"
    f" select community, post, {FIRST * SLOTS_A_DAY}, 1 from response where slot % 4800 = 0",
]


@pytest.fixture
async def db(fresh_database: FreshDatabase) -> AsyncIterator[Driver]:
    async with fresh_database(SERVICE.metadata) as settings:
        engine: AsyncEngine = create_engine(settings, "projection")
        async with driver(engine) as db:
            # To fill takes as long as the machine needs: no request is answered here.
            await db.execute("set statement_timeout = 0")
            await db.execute("set transaction_timeout = 0")
            for statement in FILL:
                await db.execute(statement, timeout=FILLED_IN)
            await db.execute("analyze", timeout=FILLED_IN)
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


async def test_what_deletions_take_away_is_looked_up_post_by_post(db: Driver) -> None:
    deleted = await db.fetchval("select count(*) from post_deletion where community = $1", COMMUNITY)
    for mode in ("force_custom_plan", "force_generic_plan"):
        await db.execute(f"set plan_cache_mode = {mode}")
        looked_at = await _rows_looked_at(db, CANCELLATIONS, [COMMUNITY, list(KINDS), NEVER])
        # The deletions, their responses and withdrawals, and what goes through the steps of the query.
        assert 3 * deleted <= looked_at <= 20 * deleted, mode


async def _rows_looked_at(db: asyncpg.Connection[asyncpg.Record], statement: str, arguments: list[Any]) -> int:
    """Rows of tables that the plan came by, those included that it threw away."""
    explained = await db.fetchval(f"explain (analyze, format json) {statement}", *arguments, timeout=60)
    return round(_of(explained[0]["Plan"]))


def _of(node: Mapping[str, Any]) -> float:
    mine = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
    if node["Node Type"] in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan"):
        mine += node["Actual Rows"]
    return float(mine * node["Actual Loops"] + sum(map(_of, node.get("Plans", []))))
