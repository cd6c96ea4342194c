"""A process of its own: it comes up, says when it is ready, and at a stop finishes what it has begun."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from shared.settings import Settings
from tests.conftest import FreshDatabase
from tests.shared.issuer import ISSUER, bearer, write_key_set
from tests.shared.toy_service import SERVICE

PROGRAM = """
import sys
from shared.service.serve import serve
from shared.settings import Settings
from tests.shared.toy_service import SERVICE
sys.exit(serve(SERVICE, Settings(), only=sys.argv[1] if len(sys.argv) > 1 else None))
"""


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings:
        yield settings.model_copy(
            update={"issuer": ISSUER, "jwks": jwks, "kafka": "127.0.0.1:1", "directory_wait": 0.5, "port": 0}
        )


def environment(settings: Settings) -> dict[str, str]:
    plain = settings.model_dump(exclude={"member_secret", "cursor_secret"})
    given = {**plain, "member_secret": "m" * 32, "cursor_secret": "c" * 32}
    return {**os.environ, **{f"GUILDHALL_{name.upper()}": str(value) for name, value in given.items()}}


class Running:
    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}")
        self.lines: list[dict[str, object]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(15):
            await self.reading
            return await self.process.wait()


@asynccontextmanager
async def process(settings: Settings, *only: str, **given: str) -> AsyncIterator[Running]:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, *only, env={**environment(settings), **given}, stdout=PIPE
    )
    assert started.stdout is not None
    try:
        async with asyncio.timeout(120):
            while (line := json.loads(await started.stdout.readline() or b'{"event": "ended"}'))[
                "event"
            ] != "listening":
                assert line["event"] != "ended"
        running = Running(started, line["port"])
        async with running.client:
            yield running
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


async def test_a_process_serves_and_logs_without_names(settings: Settings) -> None:
    async with process(settings) as running:
        ready = await running.client.get("/readyz")
        asked = await running.client.get(
            "/v1/communities/secret-club/me", headers={**bearer("mrs-secret"), "x-request-id": "trace-7"}
        )
        code = await running.stop()

    # Whether there is such a community nobody knows here: the member service tells nothing.
    assert (ready.status_code, asked.status_code, code) == (200, 503, 0)
    (line,) = [line for line in running.lines if line["event"] == "request"]
    assert (line["operation"], line["status"], line["request_id"], line["service"]) == (
        "who_am_i",
        503,
        "trace-7",
        "toy",
    )
    assert "secret" not in json.dumps(running.lines)


async def test_a_stop_says_not_ready_first_and_finishes_what_is_open(settings: Settings) -> None:
    async with process(settings, "api") as running:
        slow = asyncio.create_task(running.client.get("/v1/communities/nowhere/me", headers=bearer()))
        await asyncio.sleep(0.2)
        running.process.terminate()
        await asyncio.sleep(0.1)
        ready = await running.client.get("/readyz")
        answered = await slow
        code = await running.stop()

    assert (ready.status_code, ready.json()["reasons"]) == (503, ["The service is stopping."])
    assert (answered.status_code, code) == (503, 0)


async def test_a_port_in_use_is_one_clear_message(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            "api",
            env={**environment(settings), "GUILDHALL_PORT": str(port)},
            stdout=PIPE,
            stderr=PIPE,
        )
        output, errors = await started.communicate()

    assert started.returncode == 1
    assert b"address already in use" in output
    assert b"Traceback" not in output + errors


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"GUILDHALL_MEMBER_SECRET": "development-only-member-secret"}, "GUILDHALL_MEMBER_SECRET"),
        ({"GUILDHALL_CURSOR_SECRET": "development-only-anything-else"}, "GUILDHALL_CURSOR_SECRET"),
        ({"GUILDHALL_DATABASE_URL": "postgresql://g:development-only-x@127.0.0.1/g"}, "GUILDHALL_DATABASE_URL"),
        (
            {
                "GUILDHALL_CURSOR_SECRET": "development-only-cursor-secret",
                "GUILDHALL_DEVELOPMENT": "true",
                "GUILDHALL_PUBLIC_URL": "https://guild.example",
            },
            "GUILDHALL_PUBLIC_URL",
        ),
        ({"GUILDHALL_MEMBER_SECRET": "short"}, "member_secret"),
        ({"GUILDHALL_CURSOR_SECRET": ""}, "cursor_secret"),
    ],
)
@pytest.mark.parametrize("only", ["api", "worker"])
async def test_it_does_not_start_with_a_secret_that_everybody_knows(
    settings: Settings, given: dict[str, str], named: str, only: str
) -> None:
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, only, env={**environment(settings), **given}, stdout=PIPE, stderr=PIPE
    )
    output, errors = await started.communicate()
    assert started.returncode == 1
    assert named.encode() in output + errors


async def test_for_a_trial_on_this_machine_it_starts_and_readiness_says_so(settings: Settings) -> None:
    known = settings.model_copy(update={"development": True, "public_url": "http://localhost:8000"})
    given = {"GUILDHALL_CURSOR_SECRET": "development-only-cursor-secret"}
    async with process(known, "api", **given) as running:
        body = (await running.client.get("/readyz")).json()
        await running.stop()
    assert any("GUILDHALL_CURSOR_SECRET" in reason for reason in body["degraded"])


def test_the_table_of_settings_is_the_settings() -> None:
    table = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()

    for name, field in Settings.model_fields.items():
        assert f"| `GUILDHALL_{name.upper()}` |" in table
        assert field.description is not None
        assert field.description in table
