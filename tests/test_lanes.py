"""`make quick` starts no server, and nobody has to remember which tests do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from coverage import Coverage

from tests import conftest, lanes


@pytest.mark.parametrize(("fixtures", "quick"), [([], True), (["tmp_path"], True), (["tmp_path", "stack"], False)])
def test_quick_is_what_stands_on_no_server(fixtures: list[str], quick: bool) -> None:
    assert lanes.is_quick(fixtures) is quick


def test_this_test_is_quick(request: pytest.FixtureRequest) -> None:
    assert lanes.is_quick(request.fixturenames)


def test_in_the_quick_lane_the_stack_starts_for_nobody(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a test asks for it by its name, which no choice sees."""
    monkeypatch.setattr(request.config.option, "quick", True)
    with pytest.raises(AssertionError, match="starts no server"):
        next(conftest.stack._get_wrapped_function()(request))


def process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


def server() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


@pytest.mark.parametrize("start", [process, server])
def test_who_starts_something_without_asking_is_refused_it(start: Callable[[], None]) -> None:
    with pytest.raises(lanes.NotAskedFor, match="ask for `servers`"):
        start()


@pytest.mark.usefixtures("servers")
@pytest.mark.parametrize("start", [process, server])
def test_who_asks_may(start: Callable[[], None]) -> None:
    start()


class Measuring:
    """As much of a `Coverage` as is asked for."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True


@pytest.mark.parametrize(("folder", "everything", "stopped"), [
    ("shared/log", False, False), ("fuzz", False, True), ("test_run.py", False, True), ("fuzz", True, False),
])  # fmt: skip
def test_what_reaches_the_kernel_is_measured_and_all_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, folder: str, everything: bool, stopped: bool
) -> None:
    measuring, item = Measuring(), SimpleNamespace(nodeid=f"tests/{folder}/test_some.py::test_thing")
    monkeypatch.setattr(Coverage, "current", lambda: measuring)
    monkeypatch.delenv(lanes.EVERYTHING, raising=False)
    if everything:
        monkeypatch.setenv(lanes.EVERYTHING, "yes")

    lanes.measure_what_counts(cast("pytest.Item", item))

    assert measuring.stopped is stopped


def test_the_tests_of_a_folder_come_together_and_the_longest_folders_first(request: pytest.FixtureRequest) -> None:
    folders = [item.nodeid.split("/")[1] for item in request.session.items if item.nodeid.count("/") > 1]
    places = list(dict.fromkeys(folders))

    assert [folder for at, folder in enumerate(folders) if not at or folders[at - 1] != folder] == places
    assert [folder for folder in lanes.FIRST if folder in places] == places[: len(set(places) & set(lanes.FIRST))]
