"""What somebody else made, changed or planted is refused with a sentence; what we make is ours alone and made anew."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from contextlib import nullcontext
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


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_folder_that_anybody_may_exchange_is_refused_however_far_above(tmp_path: Path, depth: int) -> None:
    above = tmp_path / "open"
    home = Home(above.joinpath(*"abc"[: depth - 1], "state"))
    above.mkdir()
    above.chmod(0o777)
    for use in (*USES.values(), Home.open):
        with pytest.raises(LocalError, match=f"Everybody may write to {above}"):
            use(home)
    assert list(above.iterdir()) == []
    above.chmod(0o1777)  # as /tmp is
    home.open()
    above.chmod(0o777)
    for use in USES.values():
        with pytest.raises(LocalError, match=f"Everybody may write to {above}"):
            use(home)


def test_a_folder_that_a_group_may_exchange_is_refused_where_others_are_in_it(tmp_path: Path) -> None:
    above = tmp_path / "shared"
    above.mkdir()
    others = next(group.gr_gid for group in grp.getgrall() if group.gr_gid not in {os.getgid(), *os.getgroups()})
    own = pwd.getpwuid(os.geteuid())
    above.chmod(0o775)
    if grp.getgrgid(own.pw_gid).gr_name == own.pw_name:  # a group of one's own, as most systems make
        Home(above / "state").open()
    if os.geteuid() == 0:
        os.chown(above, 0, others)
        above.chmod(0o775)
        with pytest.raises(LocalError, match=f"The group .* may write to {above}"):
            Home(above / "state").open()
        above.chmod(0o755)
        Home(above / "state").open()


def test_a_group_that_is_anothers_primary_one_is_not_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    above = tmp_path / "shared"
    above.mkdir()
    above.chmod(0o775)
    own = pwd.getpwuid(os.geteuid())
    os.chown(above, own.pw_uid, own.pw_gid)
    alone = grp.struct_group((own.pw_name, "x", own.pw_gid, []))
    monkeypatch.setattr(grp, "getgrgid", lambda _: alone)
    for others, refused in (([], False), ([(own.pw_uid, own.pw_gid)], False), ([(own.pw_uid + 1, own.pw_gid)], True)):
        entries = [pwd.struct_passwd(("other", "x", uid, gid, "", "/", "/bin/sh")) for uid, gid in others]
        monkeypatch.setattr(pwd, "getpwall", lambda entries=entries: [own, *entries])
        with pytest.raises(LocalError, match="may write to") if refused else nullcontext():
            ownership.refuse_exchangeable(above / "state")


@pytest.mark.parametrize("where", ["/dev/shm", "/dev/../tmp"])
def test_a_file_below_dev_is_a_file_as_any_other(where: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("untouched")
    planted = Path(where) / f"guildhall-{tmp_path.parent.name}-{tmp_path.name}"
    planted.symlink_to(tmp_path / "theirs")
    try:
        with pytest.raises(LocalError, match="symbolic link"):
            ownership.create(planted)
    finally:
        planted.unlink()
    assert (tmp_path / "theirs").read_text() == "untouched"


def test_a_stream_of_the_system_is_written_to_as_it_is(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with open(reading) as read:
        with ownership.create(Path(f"/dev/fd/{writing}")) as stream:
            stream.write("told")
        os.close(writing)
        assert read.read() == "told"
    with ownership.create(Path("/dev/null")) as stream:
        stream.write("told")


def test_a_folder_below_somebody_elses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", 4242, 0)
    else:
        somebody_else(monkeypatch)
    with pytest.raises(LocalError, match=r"belongs to .*, not to you"):
        Home(tmp_path / "theirs" / "ours" / "state").open()
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_link_above_the_folder_is_refused_and_nothing_is_made_behind_it(home: Home, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalError, match=rf"{tmp_path}/link is a symbolic link, to {tmp_path}/elsewhere"):
        Home(tmp_path / "link" / "below" / "state").open()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (tmp_path / "above").symlink_to(tmp_path)
    for use in USES.values():
        with pytest.raises(LocalError, match="above is a symbolic link"):
            use(Home(tmp_path / "above" / "state"))


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
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "cache2").mkdir()
    (tmp_path / "open" / "link").symlink_to(tmp_path / "cache2")
    monkeypatch.setenv("GUILDHALL_CACHE", str(tmp_path / "open" / "link"))
    behind = jars.cache(tmp_path / "state")
    (tmp_path / "open" / "link").unlink()  # as anybody may
    (tmp_path / "open" / "link").symlink_to(tmp_path / "planted")
    assert behind == tmp_path / "cache2" / "guildhall" / behind.name
    monkeypatch.setenv("GUILDHALL_CACHE", str(tmp_path / "open" / "cache"))
    assert jars.cache(tmp_path / "state").is_relative_to(tmp_path / "state")


@pytest.mark.usefixtures("servers")
def test_the_command_says_what_is_wrong_and_stops_nobody_elses_processes(tmp_path: Path) -> None:
    Home(tmp_path / "theirs").open().write("state.json", '{"supervisor": 1, "identity": "x"}')
    (tmp_path / "state").symlink_to(tmp_path / "theirs")
    for command in (("up",), ("down",), ("status",), ("token",), ("issuer",)):
        done = guildhall(*command, home=tmp_path / "state")
        assert done.returncode == 1, command
        assert "is a symbolic link, not a folder" in done.stderr
        assert "→" in done.stderr
        assert "Traceback" not in done.stderr
