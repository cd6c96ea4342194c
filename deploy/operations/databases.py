"""One connection to each service's database, for an operator's questions; one that does not answer stops no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.engine import make_url

from shared.db import FAILED, Driver, database_url
from shared.service.service import Service
from shared.settings import Settings

CONNECTING = 3.0
"""Seconds a database gets to answer at all."""


@dataclass(frozen=True, slots=True)
class Databases:
    """By service: the connections, and in words why there is none."""

    open: dict[str, Driver]
    away: dict[str, str]


@asynccontextmanager
async def databases(
    settings: Settings, services: Sequence[Service], *, statement: float = 10.0
) -> AsyncIterator[Databases]:
    """Connect to all at once. `statement` bounds each question, in seconds."""
    found = Databases({}, {})
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> None:
            try:
                connection = await _connect(settings, name, statement)
            except FAILED as error:
                found.away[name] = (
                    f"The database of {name} at {_where(settings, name)} does not answer: {_words(error)}"
                )
            else:
                stack.callback(connection.terminate)  # it holds nothing that a goodbye would save
                found.open[name] = connection

        await asyncio.gather(*(connect(service.name) for service in services))
        yield found


async def _connect(settings: Settings, name: str, statement: float) -> Driver:
    async with asyncio.timeout(CONNECTING):
        return await asyncpg.connect(
            database_url(settings, name),
            timeout=CONNECTING,
            command_timeout=statement,
            server_settings={
                "application_name": "guildhall-operator",
                "statement_timeout": str(int(statement * 1000)),
                "lock_timeout": "2000",
                "default_transaction_read_only": "on",
            },
        )


def _where(settings: Settings, name: str) -> str:
    url = make_url(database_url(settings, name))
    return f"{url.host}:{url.port or 5432}/{url.database}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
