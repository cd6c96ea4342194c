"""Words about somebody who was erased are refused, alone or among others, and nothing is written with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from shared.db import create_engine, driver
from shared.events.errors import Erased
from shared.log.port import Append, Log, Position, VaultRow, Write
from shared.log.postgres import PostgresLog
from shared.replicas.erasure import tombstones
from shared.settings import Settings
from shared.tables import service_metadata
from tests.conftest import FreshDatabase
from tests.doubles.log import MemoryLog
from tests.shared.log.log_conformance import event, positions, request
from tests.shared.toy import ALICE, BOB, COMMUNITY, stream


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    metadata = service_metadata(facts=True)
    tombstones(metadata)
    async with fresh_database(metadata) as fresh:
        yield fresh


def words(number: int, subject: UUID | None) -> Append:
    """One event with words about somebody."""
    row = VaultRow(COMMUNITY, subject, stream(1_000 + number), b'{"body":"words"}')
    return request(Write(stream(number), 0, (event(),)), secrets=(row,))


async def refuses_words_of_bob(log: Log) -> None:
    subjects = [ALICE, BOB, None, ALICE, BOB, None]
    answers = await asyncio.gather(
        *(log.append(words(number, subject)) for number, subject in enumerate(subjects)), return_exceptions=True
    )
    for subject, answer in zip(subjects, answers, strict=True):
        if subject is BOB:
            assert isinstance(answer, Erased)
        else:
            assert isinstance(answer, list), answer
            assert isinstance(answer[0], Position)
    written = await positions(log)
    assert sum(len(where) for where in written.values()) == 4
    assert all(where == list(range(1, len(where) + 1)) for where in written.values())  # without gaps
    with pytest.raises(Erased):
        await log.append(words(9, BOB))
    assert await log.append(words(9, ALICE))


async def test_words_of_who_was_erased_are_refused_and_those_beside_them_are_written(settings: Settings) -> None:
    engine = create_engine(settings, "toy")
    async with driver(engine) as connection:
        await connection.execute("insert into erased (community, member, version) values ($1, $2, 1)", COMMUNITY, BOB)
    log = PostgresLog(engine, "toy")
    await log.start()
    await refuses_words_of_bob(log)
    await log.close()
    await engine.dispose()


async def test_the_log_in_memory_refuses_them_too() -> None:
    await refuses_words_of_bob(MemoryLog("toy", erased={(COMMUNITY, BOB)}))
