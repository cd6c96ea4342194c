"""The reading list of the kernel names files that are there, how long they are, and all that is beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIST = (ROOT / "docs" / "reading-the-kernel.md").read_text()
MAIN_PATH = {ROOT / "shared" / name: int(lines) for name, lines in re.findall(r"\| `(\S+\.py)` \| (\d+) \|", LIST)}
FOLDERS = ("events", "commands", "log", "relay", "subscription", "projections")
LONGEST = 2_150
"""Lines of the main path, all told."""
NEARLY = 15
"""Lines by which a file may have grown or shrunk before the list says so."""


def test_the_main_path_is_short() -> None:
    assert sum(_lines(path) for path in MAIN_PATH) <= LONGEST


@pytest.mark.parametrize(("path", "said"), MAIN_PATH.items(), ids=lambda value: getattr(value, "name", None))
def test_a_file_of_the_main_path_is_as_long_as_the_list_says(path: Path, said: int) -> None:
    assert abs(_lines(path) - said) <= NEARLY


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_folder_is_on_the_main_path_or_beside_it(folder: str) -> None:
    (beside,) = re.findall(rf"^\| `{folder}` \|(.*)$", LIST, re.MULTILINE)
    files = {path.name for path in (ROOT / "shared" / folder).glob("*.py") if path.name != "__init__.py"}
    main_path = {path.name for path in MAIN_PATH if path.parent.name == folder}

    assert files == main_path | set(re.findall(r"`(\w+\.py)`", beside))


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())
