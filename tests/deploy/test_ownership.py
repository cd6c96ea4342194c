"""What somebody else made, changed or planted is refused with a sentence; what we make is ours alone and made anew."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import jars, ownership
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.problems import LocalError
from tests.deploy.test_cli import guildhall


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "state").open()


def somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on everything that is there belongs to another."""
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)


USES: dict[str, Callable[[Home], object]] = {
    "open": Home.open,
    "read": lambda home: home.read("state.json"),
    "is_locked": Home.is_locked,
    "lock": lambda home: home.lock().__enter__(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_folder_of_somebody_else_is_neither_opened_nor_read(
    home: Home, use: Callable[[Home], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody_else(monkeypatch)
    with pytest.raises(LocalError, match=r"belongs to .*, not to you"):
        use(home)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_link_in_place_of_the_folder_is_refused(home: Home, use: Callable[[Home], object], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home.root)
    with pytest.raises(LocalError, match="symbolic link"):
        use(Home(tmp_path / "link"))


def test_a_folder_in_use_that_others_may_enter_is_refused_and_a_new_one_is_closed(home: Home, tmp_path: Path) -> None:
    for mode in (0o750, 0o705, 0o777):
        home.root.chmod(mode)
        with pytest.raises(LocalError, match=f"mode {mode:04o}"):
            home.open()
    (tmp_path / "empty").mkdir(mode=0o755)
    assert stat.S_IMODE(Home(tmp_path / "empty").open().root.stat().st_mode) == 0o700


def test_a_folder_that_anybody_may_exchange_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(LocalError, match="Everybody may write"):
        Home(tmp_path / "open" / "state").open()
    (tmp_path / "open").chmod(0o1777)  # as /tmp is
    Home(tmp_path / "open" / "state").open()


@pytest.mark.parametrize("name", ["secrets", "secrets/issuer.json", "logs/member.log", "gateway", "lock", "jwks.json"])
def test_a_planted_link_is_refused_before_anything_is_read_or_written(home: Home, name: str, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    planted = home.root / name
    planted.parent.mkdir(exist_ok=True)
    if planted.is_dir():
        planted.rmdir()
    planted.symlink_to(target)
    with pytest.raises(LocalError, match=f"{name} is a symbolic link"):
        home.open()
    assert not target.exists()


def test_a_planted_key_is_never_used(home: Home, tmp_path: Path) -> None:
    theirs = Home(tmp_path / "theirs").open()
    Issuer(theirs).jwks()
    (home.root / "secrets").mkdir()
    (home.root / "secrets" / "issuer.json").symlink_to(theirs.root / "secrets" / "issuer.json")
    with pytest.raises(LocalError, match=r"issuer\.json is a symbolic link"):
        Issuer(home).mint()


def test_a_file_of_another_owner_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.secret("member")
    somebody_else(monkeypatch)
    with pytest.raises(LocalError, match=r"secrets/member belongs to"):
        ownership.read(home.root / "secrets" / "member")
    with pytest.raises(LocalError, match=r"logs belongs to"):
        ownership.refuse_planted(home.root)


def test_a_pipe_is_no_file(home: Home) -> None:
    os.mkfifo(home.root / "ports.json")
    with pytest.raises(LocalError, match="neither a file nor a folder"):
        home.read("ports.json")


def test_a_file_is_written_beside_and_put_in_place_of_whatever_was_there(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("untouched")
    (home.root / "state.json").symlink_to(target)
    names: list[str] = []
    real = os.replace

    def noted(fresh: str, path: Path) -> None:
        names.append(fresh)
        real(fresh, path)

    monkeypatch.setattr(os, "replace", noted)
    for _ in range(2):
        home.write("state.json", "{}")
    assert target.read_text() == "untouched"
    assert not (home.root / "state.json").is_symlink()
    assert stat.S_IMODE((home.root / "state.json").stat().st_mode) == 0o600
    assert len(set(names)) == 2  # a name that nobody can make before us
    assert stat.S_IMODE(home.write("a/b", "x").parent.stat().st_mode) == 0o700


def test_what_cannot_be_written_leaves_nothing_behind(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        home.write("state.json", "{}")
    assert not list(home.root.glob(f"{ownership.UNFINISHED}*"))


def test_logs_are_for_their_owner_and_follow_no_link(home: Home, tmp_path: Path) -> None:
    with home.append("member") as log:
        log.write(b"x")
    assert stat.S_IMODE(home.log("member").stat().st_mode) == 0o600
    home.log("content").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalError, match="symbolic link"):
        home.append("content")


def test_jars_are_taken_from_no_folder_that_others_can_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUILDHALL_CACHE", str(tmp_path / "cache"))
    own = jars.cache(tmp_path / "state")
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    (own / "complete").touch()
    own.chmod(0o770)
    assert jars.cache(tmp_path / "state") == own
    assert not (own / "complete").exists()  # every sum is looked at again
    own.rename(tmp_path / "moved")
    own.symlink_to(tmp_path / "moved")
    assert jars.cache(tmp_path / "state").is_relative_to(tmp_path / "state")


def test_the_command_says_what_is_wrong_and_stops_nobody_elses_processes(tmp_path: Path) -> None:
    Home(tmp_path / "theirs").open().write("state.json", '{"supervisor": 1, "identity": "x"}')
    (tmp_path / "state").symlink_to(tmp_path / "theirs")
    for command in (("up",), ("down",), ("status",), ("token",), ("issuer",)):
        done = guildhall(*command, home=tmp_path / "state")
        assert done.returncode == 1, command
        assert "is a symbolic link, not a folder" in done.stderr
        assert "→" in done.stderr
        assert "Traceback" not in done.stderr
