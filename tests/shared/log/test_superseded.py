"""Words that an append leaves behind are noted with it, forgotten when they are due, and never written again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db import driver
from shared.log.port import Append, Guard, VaultRow, VersionConflict, Write
from shared.log.postgres import PostgresLog
from shared.vault import DUE, DUE_WORDS, PostgresVault, vault_row
from tests.shared.log.log_conformance import event, one, outcome, request
from tests.shared.toy import ALICE, COMMUNITY, stream

AT_ONCE, MONTH = timedelta(0), timedelta(days=30)
OLD, NEW = stream(98), stream(99)
OLD_WORDS, NEW_WORDS = {"body": "old"}, {"body": "new"}
KEY = b"the installation's"


@pytest.fixture
async def vault(log: PostgresLog, engine: AsyncEngine) -> PostgresVault:
    """With words that were written."""
    await log.append(writing(0, OLD, OLD_WORDS))
    return PostgresVault(engine, KEY)


def writing(expected: int, ref: UUID, words: dict[str, str]) -> Append:
    return request(Write(stream(1), expected, (event(),)), secrets=(vault_row(COMMUNITY, ALICE, ref, words),))


def replacing(expected: int = 1) -> Append:
    return replace(writing(expected, NEW, NEW_WORDS), superseded=(OLD,))


async def row(engine: AsyncEngine, ref: UUID) -> tuple[object, ...]:
    async with driver(engine) as connection:
        found = await connection.fetchrow("select subject, content, superseded_at from vault where ref = $1", ref)
    assert found is not None
    return tuple(found)


async def test_words_stay_for_the_retention_and_are_forgotten_then(log: PostgresLog, vault: PostgresVault) -> None:
    await log.append(replacing())

    assert await vault.forget_superseded(MONTH) == 0
    assert await vault.read(COMMUNITY, [OLD, NEW]) == {OLD: OLD_WORDS, NEW: NEW_WORDS}
    assert await vault.forget_superseded(AT_ONCE) == 1
    assert await vault.read(COMMUNITY, [OLD, NEW]) == {NEW: NEW_WORDS}
    assert await vault.forget_superseded(AT_ONCE) == 0


async def test_what_is_left_of_them_tells_that_they_were_written_and_knows_them_again(
    log: PostgresLog, vault: PostgresVault, engine: AsyncEngine
) -> None:
    await log.append(replacing())
    await vault.forget_superseded(AT_ONCE)

    assert await row(engine, OLD) == (None, None, None)
    assert await vault.look(COMMUNITY, [OLD, NEW, stream(97)]) == {OLD: None, NEW: NEW_WORDS}
    assert await vault.stood(COMMUNITY, [OLD], OLD_WORDS)
    assert not await vault.stood(COMMUNITY, [OLD], NEW_WORDS)
    assert not await vault.stood(COMMUNITY, [NEW], OLD_WORDS)
    assert not await PostgresVault(engine, b"another").stood(COMMUNITY, [OLD], OLD_WORDS)


async def test_forgotten_words_are_not_written_again(log: PostgresLog, vault: PostgresVault) -> None:
    await log.append(replacing())
    await vault.forget_superseded(AT_ONCE)
    await log.append(writing(2, OLD, OLD_WORDS))
    async with asyncio.TaskGroup() as group:  # several at once go by another statement
        group.create_task(log.append(writing(3, OLD, OLD_WORDS)))
        group.create_task(log.append(one(2, 0)))

    assert await vault.read(COMMUNITY, [OLD]) == {}


async def test_an_append_that_is_refused_leaves_the_words_standing(log: PostgresLog, vault: PostgresVault) -> None:
    for refused in (replacing(expected=0), replace(replacing(), guards=(Guard(stream(2), 7),))):
        with pytest.raises(VersionConflict):
            await log.append(refused)

    assert await vault.forget_superseded(AT_ONCE) == 0
    assert await vault.read(COMMUNITY, [OLD, NEW]) == {OLD: OLD_WORDS}


async def test_an_append_that_is_repeated_changes_no_time(
    log: PostgresLog, vault: PostgresVault, engine: AsyncEngine
) -> None:
    edit = replacing()
    await log.append(edit)
    before = await row(engine, OLD)
    await log.append(edit)
    assert await row(engine, OLD) == before

    await vault.forget_superseded(AT_ONCE)
    await log.append(edit)
    assert await row(engine, OLD) == (None, None, None)


async def test_appends_with_guards_and_without_leave_words_behind_in_one_batch(
    log: PostgresLog, vault: PostgresVault
) -> None:
    others = {n: (stream(1_000 + n), stream(2_000 + n)) for n in range(10, 40)}
    for n, (ref, _) in others.items():
        await log.append(
            request(Write(stream(n), 0, (event(),)), secrets=(vault_row(COMMUNITY, None, ref, OLD_WORDS),))
        )

    def edit(n: int) -> Append:
        old, new = others[n]
        words = (vault_row(COMMUNITY, None, new, NEW_WORDS),)
        guards = (Guard(stream(1), 1),) if n % 2 else ()
        return replace(request(Write(stream(n), 1, (event(),)), secrets=words), superseded=(old,), guards=guards)

    await asyncio.gather(*(log.append(edit(n)) for n in others))

    assert await vault.forget_superseded(AT_ONCE) == 30
    kept = await vault.read(COMMUNITY, [ref for refs in others.values() for ref in refs])
    assert kept == {new: NEW_WORDS for _, new in others.values()}
    assert await vault.read(COMMUNITY, [OLD]) == {OLD: OLD_WORDS}


async def test_words_that_stand_again_stay_and_those_that_are_forgotten_cannot(
    log: PostgresLog, vault: PostgresVault
) -> None:
    await log.append(replacing())
    await log.append(replace(one(1, 2), superseded=(NEW,), again=(OLD,)))
    await vault.forget(COMMUNITY, [OLD])  # by who had replaced it, a moment late
    assert await vault.forget_superseded(AT_ONCE) == 1
    assert await vault.read(COMMUNITY, [OLD, NEW]) == {OLD: OLD_WORDS}

    back = replace(one(1, 3), superseded=(OLD,), again=(NEW,))
    beside = [replace(one(n, 0), again=(stream(1_000 + n),)) for n in range(10, 20)]  # nobody ever wrote these
    refused, *written = await asyncio.gather(*(outcome(log, append) for append in (back, *beside)))
    assert refused is None
    assert None not in written
    assert await vault.read(COMMUNITY, [OLD, NEW]) == {OLD: OLD_WORDS}


async def test_several_that_forget_at_once_share_the_words_and_each_takes_so_many(
    log: PostgresLog, engine: AsyncEngine
) -> None:
    words = tuple(VaultRow(COMMUNITY, ALICE, stream(n), b"{}") for n in range(100, 200))
    await log.append(request(Write(stream(1), 0, (event(),)), secrets=words))
    await log.append(replace(one(1, 1), superseded=tuple(word.ref for word in words)))
    vault = PostgresVault(engine, KEY)

    async with driver(engine) as connection, connection.transaction():
        await connection.execute("select from vault where ref = $1 for update", words[0].ref)
        shares = await asyncio.gather(*(vault.forget_superseded(AT_ONCE, limit=30) for _ in range(4)))
        assert sum(shares) == 99
        assert max(shares) == 30
    assert await vault.forget_superseded(AT_ONCE) == 1


async def test_words_that_are_due_are_found_by_the_index_among_many_that_are_not(engine: AsyncEngine) -> None:
    async with driver(engine) as connection:
        await connection.execute(
            "insert into vault (community, ref, content, superseded_at)"
            " select gen_random_uuid(), gen_random_uuid(), 'words', now() from generate_series(1, 5000)"
        )
        await connection.execute("analyze vault")
        plans = [
            "\n".join(row[0] for row in await connection.fetch(f"explain {query}", *arguments))
            for query, arguments in ((DUE, (MONTH, 1_000)), (DUE_WORDS, (MONTH,)))
        ]
    assert ["Index Cond: (superseded_at <= (statement_timestamp()" in plan for plan in plans] == [True, True]
