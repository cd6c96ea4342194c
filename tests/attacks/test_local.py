"""The local system believes no folder of somebody else's, listens on this machine alone, and its pages are its own.

Attacks 19, 20 and 23. Every kind of planted file: `tests/deploy/test_ownership.py`; containers:
`tests/deploy/test_compose.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.service import SERVICES
from tests.attacks.target import Target
from tests.deploy.test_documentation import Page
from tests.e2e.system import ROOT

OUTSIDE = ("http:", "https:", "//", "data:text")


def guildhall(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "GUILDHALL_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _linked(planted: Path, home: Path) -> None:
    home.symlink_to(planted)


def _opened(planted: Path, home: Path) -> None:
    shutil.copytree(planted, home)
    home.chmod(0o777)


def _with_a_linked_key(planted: Path, home: Path) -> None:
    Home(home).open()
    (home / "secrets").mkdir(mode=0o700)
    (home / "secrets" / "issuer.json").symlink_to(planted / "secrets" / "issuer.json")


def _with_a_linked_folder(planted: Path, home: Path) -> None:
    Home(home).open()
    (home / "secrets").symlink_to(planted / "secrets")


def _with_a_pipe(planted: Path, home: Path) -> None:
    Home(home).open()
    os.mkfifo(home / "ports.json")


def _in_a_folder_for_all(planted: Path, home: Path) -> None:
    home.parent.chmod(0o777)


@pytest.mark.parametrize(
    "plant", [_linked, _opened, _with_a_linked_key, _with_a_linked_folder, _with_a_pipe, _in_a_folder_for_all]
)
def test_a_planted_folder_and_key_are_refused_by_every_command(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    """19: `token` would sign with a key that somebody else has, `up` would give them the system."""
    (tmp_path / "theirs").mkdir()
    theirs = Home(tmp_path / "theirs" / "state").open()
    Issuer(theirs).mint()
    (tmp_path / "ours").mkdir()
    home = tmp_path / "ours" / "state"
    plant(theirs.root, home)
    for command in (("token",), ("issuer",)):
        done = CliRunner().invoke(app, [*command, "--home", str(home)])
        assert done.exit_code == 1, (command, done.output)
        assert "eyJ" not in done.output, "a token"
        assert isinstance(done.exception, SystemExit), done.exception


def test_what_lies_in_the_state_folder_is_for_its_owner_alone(target: Target) -> None:
    """19, kin: every file of the running system; the public keys may be read, if anybody could get to them."""
    home = target.system.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in (home / "secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    for path in [*home.glob("*.json"), *Path(target.home.logs).iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0, path


def test_every_port_of_the_running_system_is_on_this_machine_only(target: Target) -> None:
    """20, kin: the local system's own listeners, all of its processes and their children."""
    state = json.loads((target.system.home / "state.json").read_text())
    family = {int(one["pid"]) for one in state["processes"]}
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    for _ in range(4):
        family |= {pid for pid, parent in parents.items() if parent in family}
    sockets = set()
    for pid in family:
        try:
            sockets |= {os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir() if one.is_symlink()}
        except OSError:
            continue
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in sockets:
                listening.append(words[1])
    assert len(listening) >= len(SERVICES) + 3
    for one in listening:
        address = one.partition(":")[0]
        assert address in ("0100007F", "0" * 24 + "01000000", "0000000000000000FFFF00000100007F"), one


def test_no_command_line_of_a_process_holds_a_secret(target: Target) -> None:
    """20, kin: what everybody on the machine can read of the processes."""
    secrets = [path.read_text().strip() for path in (target.system.home / "secrets").iterdir()]
    state = json.loads((target.system.home / "state.json").read_text())
    for one in state["processes"]:
        told = Path(f"/proc/{one['pid']}/cmdline").read_bytes().decode(errors="replace")
        assert not any(secret in told for secret in secrets if len(secret) > 8), one["name"]


@pytest.mark.usefixtures("servers")
def test_nothing_starts_with_secrets_that_everybody_knows(tmp_path: Path) -> None:
    """20: a service that is started elsewhere with the defaults that stand in the source."""
    changes = {"GUILDHALL_DEVELOPMENT": "true", "GUILDHALL_PUBLIC_URL": "http://127.0.0.1.example.org"}
    done = guildhall(tmp_path / "none", "run", "projection", **changes)
    assert done.returncode != 0
    assert "that everybody knows" in done.stdout + done.stderr, done.stderr


async def test_the_pages_of_the_origin_load_nothing_from_elsewhere_and_run_nothing_inline(target: Target) -> None:
    """23: `/docs` loaded a floating script from elsewhere, without CSP; every page there is, through the gateway."""
    pages = ["/", *(f"/docs/{name}" for name in SERVICES)]
    for path in pages:
        answer = await target.client.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert not any(word in policy for word in ("http:", "https:", "*")), path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        if "text/html" not in answer.headers["content-type"]:
            continue
        page = Page(answer.text)
        assert page.inline == [], path
        for loaded in page.loads:
            assert not loaded.startswith(OUTSIDE), (path, loaded)
            if loaded.startswith("/"):
                got = await target.client.get(loaded)
                assert got.status_code == 200, loaded
                assert "content-security-policy" in got.headers, loaded


async def test_what_is_for_operators_is_behind_no_path_of_the_gateway(target: Target) -> None:
    """23, kin: metrics and health are no pages of the origin; the token to try is for this machine's names."""
    for path in ("/metrics", "/readyz", "/livez", "/healthz", "/debug", "/config/", "/status", "/secrets/issuer.json"):
        for form in (path, f"/docs/member/..{path}", f"/docs/%2e%2e{path}", f"//member{path}"):
            answer = await target.client.get(form)
            assert answer.status_code in (301, 308, 400, 404), (form, answer.status_code, answer.text[:200])
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example"):
        for path in ("/try/token", "/status/member"):
            answer = await target.client.get(path, headers={"host": host})
            assert answer.status_code == 404, (host, path)
    await asyncio.sleep(0)
