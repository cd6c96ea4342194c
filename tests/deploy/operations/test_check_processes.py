"""The processes and the machine: where each service answers, a clock that is wrong, a disk that is full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.operations import check_database, check_processes
from deploy.operations.check_processes import addresses, disk
from deploy.operations.findings import State


def test_a_process_whose_clock_is_wrong_is_found() -> None:
    found = check_database.clocks("service clock", "toy", "The service's clock", 100.0)

    assert (found.state, found.meaning.split(". ")[0]) == (
        State.BROKEN,
        "The service's clock is 100.0 s ahead of this machine's",
    )


def test_addresses_are_named_one_by_one_or_by_a_pattern() -> None:
    assert addresses("a=http://x:1/, b=http://y", ["a", "c"]) == {"a": "http://x:1"}
    assert addresses("http://{service}:8000", ["a", "b"]) == {"a": "http://a:8000", "b": "http://b:8000"}
    assert addresses("", ["a"]) == {}


@pytest.mark.parametrize(
    ("room", "state"),
    [(((10, 1), (3, 1)), State.OK), (((101, 1 << 60), (0, 0)), State.WARNING), (((101, 1 << 60),) * 2, State.BROKEN)],
)
def test_a_disk_that_is_nearly_full_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: Any, state: State
) -> None:
    monkeypatch.setattr(check_processes, "ROOM", room)

    assert disk(str(tmp_path)).state is state
    assert disk(str(tmp_path / "nowhere")).state is State.BROKEN
