"""The sums at the end of `make test` are made of what is whole, whatever killed processes left behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from coverage import CoverageData

from tests.run import gathered


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


@pytest.mark.parametrize("harm", [cut, overwritten, unfinished, empty])
def test_a_half_written_part_is_left_out_and_said(
    harm: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = measured(tmp_path, "one", "/here/one.py", 3)
    other = measured(tmp_path, "other", "/here/other.py", 5)
    broken = measured(tmp_path, "broken", "/here/broken.py", 2000)
    harm(broken)

    data = gathered([one, broken, other], tmp_path / ".coverage").get_data()

    assert data.measured_files() == {"/here/one.py", "/here/other.py"}
    assert data.lines("/here/other.py") == [1, 2, 3, 4, 5, 6]
    assert capsys.readouterr().out.startswith("coverage: .coverage.broken was left half written")
    assert not list(tmp_path.glob(".coverage.*"))
