"""The sums at the end of `make test` are made of what is whole, whatever killed processes left behind."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from coverage import CoverageData

from tests import run

ROOT = Path(__file__).parents[1]


def measured(folder: Path, name: str, file: str, lines: int) -> Path:
    """What a process writes at its end, had it run that many lines of a file."""
    data = CoverageData(str(folder / f".coverage.{name}"))
    data.add_arcs({file: [(line, line + 1) for line in range(1, lines + 1)]})
    data.write()
    return folder / f".coverage.{name}"


def cut(part: Path) -> None:
    """Killed with half of its pages on the disk."""
    content = part.read_bytes()
    part.write_bytes(content[: len(content) // 2])


def overwritten(part: Path) -> None:
    """Its head can be read; a page behind that is not one."""
    content = bytearray(part.read_bytes())
    content[-4096:] = b"\x07" * 4096
    part.write_bytes(content)


def unfinished(part: Path) -> None:
    """Killed between two tables."""
    with sqlite3.connect(part) as connection:
        connection.execute("drop table arc")


def empty(part: Path) -> None:
    """Killed as it began."""
    part.write_bytes(b"")


# In a process of its own, which is not measured: a second `Coverage` ends the measuring of the one that is under way.
PROGRAM = """
import sys
from pathlib import Path
from tests.run import gathered
gathered(map(Path, sys.argv[2:]), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("harm", [cut, overwritten, unfinished, empty])
@pytest.mark.usefixtures("servers")
def test_a_half_written_part_is_left_out_and_said(harm: Callable[[Path], None], tmp_path: Path) -> None:
    parts = [
        measured(tmp_path, "one", "/here/one.py", 3),
        measured(tmp_path, "broken", "/here/broken.py", 2000),
        measured(tmp_path, "other", "/here/other.py", 5),
    ]
    harm(parts[1])

    command = [sys.executable, "-c", PROGRAM, *map(str, (tmp_path / ".coverage", *parts))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    data = CoverageData(str(tmp_path / ".coverage"))
    data.read()
    assert data.measured_files() == {"/here/one.py", "/here/other.py"}
    assert data.lines("/here/other.py") == [1, 2, 3, 4, 5, 6]
    assert done.stdout.startswith("coverage: .coverage.broken was left half written")
    assert not list(tmp_path.glob(".coverage.*"))


TESTS = {
    "broken": "def test_one():\n    assert False\n",
    "by_chance": """
from pathlib import Path

def test_one():
    been = Path(__file__).with_suffix(".been")
    first = not been.exists()
    been.touch()
    assert not first
""",
    "now_and_then": """
from pathlib import Path

def test_one():
    been = Path(__file__).with_suffix(".been")
    tries = len(been.read_text()) if been.exists() else 0
    been.write_text("x" * (tries + 1))
    assert tries == 1
""",
    "four": "import pytest\n\n@pytest.mark.parametrize('n', range(4))\ndef test_one(n):\n    assert False\n",
}


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize(
    ("kind", "said"), [("broken", False), ("by_chance", True), ("now_and_then", False), ("four", False)]
)
def test_what_fails_once_is_looked_at_again(
    kind: str, said: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "test_it.py").write_text(TESTS[kind])
    once = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, check=False)
    assert once.returncode == run.FAILED
    assert run.holds_by_itself(run.failures(tmp_path), tmp_path) is said
    assert ("FAILED BY CHANCE" in capfd.readouterr().out) is said


def test_a_run_without_failures_is_not_looked_at_again(tmp_path: Path) -> None:
    assert run.failures(tmp_path) == []
    assert not run.holds_by_itself([], tmp_path)
