"""The state folder is opened by a program that understands it, by one at a time, and tells when it cannot be."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from deploy.local import home as home_module
from deploy.local.home import Home
from deploy.local.problems import LocalError, from_os_error


def test_a_new_folder_gets_a_version_and_is_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "state").open()
    assert (home.root / "version").read_text() == f"{home_module.VERSION}\n"
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert home.open() == home


@pytest.mark.parametrize(("version", "word"), [("0", "older"), ("99", "newer"), ("rubbish", "older")])
def test_a_folder_of_another_version_is_left_alone(tmp_path: Path, version: str, word: str) -> None:
    (tmp_path / "version").write_text(version)
    with pytest.raises(LocalError, match=word):
        Home(tmp_path).open()
    assert [entry.name for entry in tmp_path.iterdir()] == ["version"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(LocalError, match=r"thesis\.tex"):
        Home(tmp_path).open()


def test_a_disk_without_room_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "ROOM_NEEDED", 2**62)
    with pytest.raises(LocalError, match="is full"):
        Home(tmp_path / "state").open()


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    assert not home.is_locked()
    with home.lock():
        assert home.is_locked()
        with pytest.raises(LocalError, match="Another guildhall"), home.lock():
            pass
    assert not home.is_locked()


def test_secrets_are_made_once_and_kept_from_others(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    assert home.secret("member") == home.secret("member") != home.secret("cursor")
    assert (home.root / "secrets" / "member").stat().st_mode & 0o777 == 0o600


def test_a_broken_record_reads_as_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{half")
    assert Home(tmp_path).read("state.json") == {}


@pytest.mark.parametrize(
    ("code", "word"), [(errno.ENOSPC, "full"), (errno.EROFS, "cannot be written"), (errno.EMFILE, "open files")]
)
def test_what_the_system_refuses_is_told_in_three_sentences(code: int, word: str, tmp_path: Path) -> None:
    told = from_os_error(OSError(code, "no", str(tmp_path)), tmp_path)
    assert word in told.what
    assert told.means
    assert told.do
    assert str(told).count("\n") == 2
