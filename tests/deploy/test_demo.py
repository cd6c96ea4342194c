"""The sample community is imported once; a stopped import is told and repeated."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from deploy.importers.client import ImportStopped
from deploy.local import demo
from deploy.local.home import Home
from deploy.local.problems import LocalError
from deploy.local.progress import Progress


async def load(home: Home) -> str:
    with Progress(Console(quiet=True)).step("Sample") as step:
        await demo.load(home, "http://127.0.0.1:1", "token", step)
    return step.detail


async def test_it_is_imported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    async def load_sample(origin: str, token: str, told: object) -> SimpleNamespace:
        calls.append(origin)
        return SimpleNamespace(read=14000, applied=13990, repeated=0, rejected=0, left_out=10)

    monkeypatch.setattr("deploy.importers.sample.load_sample", load_sample)
    home = Home(tmp_path).open()
    assert await load(home) == "14,000 read, 13,990 applied, 0 repeated, 0 rejected, 10 left out"
    assert await load(home) == "imported before"
    assert len(calls) == 1


async def test_an_import_that_stops_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def load_sample(origin: str, token: str, told: object) -> None:
        raise ImportStopped("the origin does not answer")

    monkeypatch.setattr("deploy.importers.sample.load_sample", load_sample)
    home = Home(tmp_path).open()
    with pytest.raises(LocalError, match="does not answer"):
        await load(home)
    assert home.read(demo.MARK) == {}
