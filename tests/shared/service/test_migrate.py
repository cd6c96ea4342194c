"""Migrations: what the code declares is what the newest revision makes, and a migrated database is ready to run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import copy
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa

from shared.service.migrate import MigrationProblem, belongs, check, migrate, newest, revise
from shared.service.service import Service
from shared.settings import Settings
from tests.shared.toy_service import SERVICE
from tests.stack import Stack
from tests.write_revision import tidy


def revised_in(folder: Path) -> Service:
    """The toy service with its revisions in that folder."""
    toy = copy(SERVICE)
    object.__setattr__(toy, "migrations", folder)
    return toy


@pytest.fixture
async def settings(stack: Stack) -> AsyncIterator[Settings]:
    """An empty database."""
    name = f"test_{uuid4().hex}"
    admin = await asyncpg.connect(stack.postgres_dsn)
    await admin.execute(f"create database {name}")
    yield Settings(database_url=stack.postgres_dsn.rpartition("/")[0] + f"/{name}", kafka=stack.kafka)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


async def test_the_first_revision_makes_all_that_the_code_declares(settings: Settings, tmp_path: Path) -> None:
    toy = revised_in(tmp_path / "migrations" / "versions")
    assert newest(toy) == set()

    (written,) = await revise(toy, settings, "the beginning")
    await check(toy, settings)
    await migrate(toy, settings)

    assert "lock_timeout" in written.read_text()
    assert newest(toy) == {"0001"}
    connection = await asyncpg.connect(settings.database_url)
    assert await connection.fetchval("select reloptions from pg_class where relname = 'log_partition'") == [
        "fillfactor=50"
    ]
    assert await connection.fetchval("select array_agg(id order by id) from log_partition") == list(range(12))
    assert await connection.fetchval("select count(*) from relay_checkpoint where position = 0") == 12
    names = await connection.fetch("select conname from pg_constraint where contype in ('p', 'u') order by conname")
    assert {"pk_log", "uq_log_stream_version", "pk_vault"} <= {row["conname"] for row in names}
    await connection.close()


async def test_a_change_of_the_code_without_a_revision_is_found_and_then_written(
    settings: Settings, tmp_path: Path
) -> None:
    toy = revised_in(tmp_path / "migrations" / "versions")
    await revise(toy, settings, "the beginning")
    grown = sa.MetaData(naming_convention=toy.metadata.naming_convention)
    for table in toy.metadata.tables.values():
        table.to_metadata(grown)
    grown.tables["account_list"].append_column(sa.Column("colour", sa.Text))
    changed = revised_in(tmp_path / "migrations" / "versions")
    object.__setattr__(changed, "metadata", grown)

    with pytest.raises(MigrationProblem, match="New upgrade operations detected"):
        await check(changed, settings)
    (written,) = await revise(changed, settings, "accounts have a colour")
    await check(changed, settings)

    assert written.name.startswith("0002")
    assert "colour" in written.read_text()


async def test_a_revision_is_numbered_after_the_newest_and_put_in_form(settings: Settings, tmp_path: Path) -> None:
    toy = revised_in(tmp_path / "migrations" / "versions")
    (first,) = await revise(toy, settings, "the beginning")
    renamed = first.rename(first.with_name("0041_the_beginning.py"))  # numbers are left out where services share them
    renamed.write_text(renamed.read_text().replace("revision = '0001'", "revision = '0041'"))

    (second,) = await revise(toy, settings, "nothing, yet")

    assert newest(toy) == {"0042"}
    assert second.name.startswith("0042")
    assert tidy([str(renamed), str(second)]) == 0
    assert "import sqlalchemy" not in second.read_text()
    assert 'revision = "0042"' in second.read_text()


async def test_several_may_migrate_at_once_and_again(settings: Settings, tmp_path: Path) -> None:
    toy = revised_in(tmp_path / "migrations" / "versions")
    await revise(toy, settings, "the beginning")

    await asyncio.gather(*(migrate(toy, settings, wait=10) for _ in range(3)))
    await migrate(toy, settings)

    connection = await asyncpg.connect(settings.database_url)
    assert await connection.fetchval("select count(*) from log_partition") == 12
    await connection.close()


async def test_another_number_of_partitions_is_refused(settings: Settings, tmp_path: Path) -> None:
    toy = revised_in(tmp_path / "migrations" / "versions")
    await revise(toy, settings, "the beginning")
    await migrate(toy, settings)

    with pytest.raises(MigrationProblem, match="GUILDHALL_PARTITIONS=12"):
        await migrate(toy, settings.model_copy(update={"partitions": 24}))


async def test_a_database_that_stays_away_is_one_clear_message(tmp_path: Path) -> None:
    toy = revised_in(tmp_path)
    away = Settings(database_url="postgresql://guildhall:hidden@127.0.0.1:1/guildhall")

    with pytest.raises(MigrationProblem, match=r"127\.0\.0\.1:1/guildhall") as raised:
        await migrate(toy, away, wait=0.5)
    assert "hidden" not in str(raised.value)
    with pytest.raises(MigrationProblem, match=r"127\.0\.0\.1:1"):
        await check(toy, away)


@pytest.mark.parametrize(
    ("name", "kind", "belonging"),
    [("log", "table", True), ("log__next", "table", False), ("x__next", "index", True), (None, "table", True)],
)
def test_tables_of_a_rebuild_are_left_alone(name: str | None, kind: str, belonging: bool) -> None:
    assert belongs(name, kind, {}) is belonging
