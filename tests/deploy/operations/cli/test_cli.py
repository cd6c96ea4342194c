"""The operator's commands: each says what it did, or in one line what was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import httpx2 as httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from deploy.operations.cli.main import app
from services.feedback.app import SERVICE
from services.feedback.events import SuggestionSubmitted
from shared.db import create_engine
from shared.events.event import wire_name
from shared.events.identity import derived_id
from shared.log.port import Append, NewEvent, Write
from shared.log.postgres import PostgresLog
from shared.service.service import create_app
from shared.settings import Settings, settings
from tests.conftest import FreshDatabase
from tests.shared.toy import ALICE, COMMUNITY, NOON

Run = Callable[..., Awaitable[Result]]

STREAM = derived_id("suggestion", 1)


@pytest.fixture(scope="module")
async def database(fresh_database: FreshDatabase) -> AsyncIterator[Settings]:
    """A service's database in which one event could not be read by the view."""
    async with fresh_database(SERVICE.metadata) as found:
        alone = found.model_copy(update={"kafka": "127.0.0.1:1"})
        engine = create_engine(alone, SERVICE.name)
        log = PostgresLog(engine, SERVICE.name)
        await log.start()
        broken = NewEvent(derived_id("event", 1), wire_name(SuggestionSubmitted), b'{"suggestion_id": 7}')
        await log.append(Append(COMMUNITY, ALICE, NOON, None, (Write(STREAM, 0, (broken,)),)))
        await log.close()
        worker = create_app(SERVICE, alone, only="worker")
        async with worker.router.lifespan_context(worker), asyncio.timeout(20):
            connection = await asyncpg.connect(found.database_url)
            while not await connection.fetchval("select count(*) from parked"):
                await asyncio.sleep(0.05)
            await connection.close()
        await engine.dispose()
        yield alone


@pytest.fixture
def run(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("GUILDHALL_DATABASE_URL", database.database_url)
    monkeypatch.setenv("GUILDHALL_KAFKA", database.kafka)
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()

    async def invoke(*arguments: str) -> Result:
        # A thread of its own: a command begins an event loop.
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    yield invoke
    settings.cache_clear()


async def test_what_is_parked_is_listed_shown_and_replayed(run: Run) -> None:
    listed = await run("parked", "list", "feedback")
    (place,) = {word for word in listed.output.split() if word.startswith("feedback/")}
    shown = await run("parked", "show", "feedback", "suggestion_board", place)
    replayed = await run("parked", "replay", "feedback", "suggestion_board")

    assert (listed.exit_code, shown.exit_code, replayed.exit_code) == (0, 0, 1)
    assert "suggestion_board" in listed.output
    assert f'"subject": "{STREAM}"' in shown.output
    assert "0 folded, 1 still parked" in replayed.output


async def test_what_is_not_parked_cannot_be_shown_and_events_cannot_be_dismissed(run: Run) -> None:
    listed = await run("parked", "list", "feedback")
    (place,) = {word for word in listed.output.split() if word.startswith("feedback/")}
    known = ", ".join(sorted(view.name for view in SERVICE.views))

    assert (await run("parked", "list", "feedback", "--view", "nothing")).output.strip() == "Nothing is parked."
    for arguments, message in {
        ("show", "feedback", "suggestion_board", "feedback/0/99"): "Nothing is parked at feedback/0/99",
        ("show", "feedback", "suggestion_board", "feedback"): "is no position such as",
        ("dismiss", "feedback", "suggestion_board", place): "events can only be replayed",
        ("replay", "feedback", "nothing"): f"has no view 'nothing'. It has: {known}",
    }.items():
        refused = await run("parked", *arguments)
        assert (refused.exit_code, message in refused.output) == (1, True), refused.output


async def test_a_view_is_rebuilt_and_compared(run: Run) -> None:
    checked = await run("rebuild", "feedback", "suggestion_board", "--check")
    rebuilt = await run("rebuild", "feedback", "suggestion_board")

    assert (checked.exit_code, rebuilt.exit_code) == (0, 0), checked.output
    assert "Equal; 1 parked; the live view stays" in checked.output
    assert "the rebuilt view has taken over" in rebuilt.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "nothing"), "There is no service 'nothing'. There are: content"),
        (("migrate", "nothing"), "There is no service 'nothing'"),
        (("rebuild", "feedback", "nothing"), "has no view 'nothing'"),
        (("topics", "feedback"), "Kafka at 127.0.0.1:1 does not answer"),
    ],
)
async def test_what_cannot_be_done_is_one_line(run: Run, arguments: tuple[str, ...], message: str) -> None:
    refused = await run(*arguments)

    assert refused.exit_code == 1
    assert message in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("command", [("migrate",), ("check-migrations",), ("parked", "list"), ("rebuild",)])
async def test_a_database_that_is_away_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GUILDHALL_DATABASE_URL", "postgresql://guildhall:hidden@127.0.0.1:1/guildhall")
    settings.cache_clear()
    view = ("suggestion_board",) if command == ("rebuild",) else ()
    refused = await run(*command, "feedback", *view)

    assert refused.exit_code == 1
    assert "Traceback" not in refused.output
    assert "hidden" not in refused.output
    assert refused.output.strip()


async def test_settings_that_cannot_be_used_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHALL_PARTITIONS", "many")
    settings.cache_clear()
    refused = await run("parked", "list", "feedback")

    assert refused.exit_code == 1
    assert "GUILDHALL_PARTITIONS" in refused.output


async def test_every_command_explains_itself_with_an_example(run: Run) -> None:
    for command in (
        ["run"],
        ["migrate"],
        ["check-migrations"],
        ["revision"],
        ["topics"],
        ["rebuild"],
        ["lag"],
        ["doctor"],
        ["parked", "list"],
        ["parked", "show"],
        ["parked", "replay"],
        ["parked", "dismiss"],
    ):
        shown = await run(*command, "--help")
        assert shown.exit_code == 0
        assert "guildhall " + command[0] in shown.output
        assert "Example" in shown.output


async def test_an_empty_database_is_migrated_as_the_code_declares(
    run: Run, fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fresh_database(sa.MetaData()) as empty:
        monkeypatch.setenv("GUILDHALL_DATABASE_URL", empty.database_url)
        settings.cache_clear()
        checked = await run("check-migrations", "feedback")
        migrated = await run("migrate", "feedback", "--wait", "5")
        other = create_app(SERVICE, empty, only="api")
        async with (
            other.router.lifespan_context(other),
            httpx.AsyncClient(transport=httpx.ASGITransport(app=other), base_url="http://feedback") as client,
        ):
            ready = await client.get("/readyz")

    assert checked.output == "feedback: migrations and code agree\n"
    assert migrated.output == "feedback: at the newest schema\n"
    assert ready.json()["ready"]


async def test_a_database_that_was_not_migrated_is_not_ready(database: Settings) -> None:
    app_of_unmigrated = create_app(SERVICE, database, only="api")
    async with (
        app_of_unmigrated.router.lifespan_context(app_of_unmigrated),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app_of_unmigrated), base_url="http://feedback") as client,
    ):
        ready = await client.get("/readyz")

    assert ready.json()["reasons"] == ["The database is not at the newest schema: run `guildhall migrate`."]
