"""What dies comes back and is told; nothing is left when it stops. Real processes, a trivial service."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import orphans, ports
from deploy.local.home import Home
from deploy.local.identity import identity
from deploy.local.problems import LocalError
from deploy.local.service import Service
from deploy.local.supervisor import Supervisor

pytestmark = pytest.mark.usefixtures("servers")

TRIVIAL = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
http.server.HTTPServer(("127.0.0.1", int(os.environ["GUILDHALL_PORT"])), Handler).serve_forever()
"""


def service(home: Home, code: str = TRIVIAL) -> Service:
    port = ports.assign(["member"], 23000 + os.getpid() % 5000, {})["member"]
    return Service(home, "member", port, {}, lambda _: [sys.executable, "-c", code])


async def until(condition: Callable[[], object], deadline: float = 15) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_process_that_is_killed_is_started_again_and_told(tmp_path: Path) -> None:
    said: list[str] = []
    home = Home(tmp_path).open()
    supervisor, trivial = Supervisor(home, said.append), service(home)
    await supervisor.start(trivial)
    try:
        first = trivial.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.watches[0].restarts == 1 and supervisor.watches[0].state == "ready")
        assert trivial.pid not in (None, first)
        assert said[0] == "The member service was killed by SIGKILL; starting it again (no. 1) in 0.2 s"
        assert said[-1] == "The member service is ready again"
    finally:
        await supervisor.stop()
    assert identity(first) is None
    assert home.read("state.json")["processes"][0]["state"] == "stopped"


async def test_a_process_that_dies_at_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    supervisor = Supervisor(home, lambda _: None)
    with pytest.raises(LocalError, match="no such table: hats"):
        await supervisor.start_all([service(home, "raise SystemExit('no such table: hats')")])
    await supervisor.stop()


async def test_what_a_killed_supervisor_left_is_found_and_ended(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    supervisor, trivial = Supervisor(home, lambda _: None), service(home)
    await supervisor.start(trivial)
    for guard in supervisor._guards:
        guard.cancel()
    pid = trivial.pid
    assert pid is not None
    assert [one["pid"] for one in orphans.living(home)] == [pid]
    assert await asyncio.to_thread(orphans.clear, home) == 1
    assert identity(pid) is None
    assert orphans.clear(home) == 0
    await supervisor.stop()


async def test_a_record_of_a_used_again_id_ends_nobody(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    mine = {"name": "member", "pid": os.getpid(), "identity": "other:1", "signal": 15}
    home.write("state.json", json.dumps({"processes": [mine]}))
    assert orphans.clear(home) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="by the kernel's parent-death signal")
async def test_children_go_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    port = ports.assign(["member"], 24000 + os.getpid() % 5000, {})["member"]
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys, time; from deploy.local.home import Home; from deploy.local.service import Service\n"
        f"s = Service(Home.at({str(tmp_path)!r}).open(), 'member', {port}, {{}}, "
        "lambda _: [sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "s.start(); print(s.pid, flush=True); time.sleep(60)",
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    assert identity(child) is not None
    await asyncio.sleep(0.3)  # it must have come past the launcher
    parent.kill()
    await parent.wait()
    await until(lambda: identity(child) is None)


async def test_a_log_that_grew_long_begins_anew_while_its_process_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.component.LOG_LIMIT", 1_000)
    home = Home(tmp_path).open()
    talkative = "import itertools, time\nfor n in itertools.count(): print('line', n, flush=True); time.sleep(0.001)"
    trivial = service(home, talkative)
    supervisor = Supervisor(home, lambda _: None)
    monkeypatch.setattr(Service, "ready", lambda self: self.pid is not None)
    await supervisor.start(trivial)
    try:
        before = home.log("member").with_suffix(".log.1")
        await until(lambda: before.exists() and home.log("member").stat().st_size > 0)
        assert before.stat().st_size >= 1_000
        assert b"\0" not in home.log("member").read_bytes()
    finally:
        await supervisor.stop()
