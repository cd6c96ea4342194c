"""The commands of the local system: exit codes, messages without tracebacks, a token alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("servers")


def guildhall(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GUILDHALL_HOME": str(home)}
    command = [sys.executable, "-m", "deploy.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_a_token_stands_alone_on_standard_output(tmp_path: Path) -> None:
    done = guildhall("token", "--subject", "bob", home=tmp_path / "state")
    assert done.returncode == 0
    assert done.stdout.count(".") == 2
    assert done.stdout.split() == [done.stdout.strip()]


def test_nothing_running_is_an_exit_code_and_json(tmp_path: Path) -> None:
    done = guildhall("status", "--json", home=tmp_path / "state")
    assert done.returncode == 3
    assert json.loads(done.stdout)["running"] is False
    assert guildhall("down", home=tmp_path / "state").returncode == 0


def test_a_port_in_use_is_told_without_a_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = guildhall("up", "--port", str(port), home=tmp_path / "state")
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_missing_log_and_a_wrong_lifetime_are_told(tmp_path: Path) -> None:
    for arguments, words in ((("logs", "member"), "no log of member"), (("token", "--lifetime", "1x"), "lifetime")):
        done = guildhall(*arguments, home=tmp_path / "state")
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
