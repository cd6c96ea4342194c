"""`guildhall import stackexchange` from its arguments to its exit code and files."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid5

import pytest
from typer.testing import CliRunner, Result

from deploy.importers.cli import app
from tests.importers.dumps import answer, comment, question, user, write_dump
from tests.importers.fake_guildhall import NAMESPACE, FakeGuildhall, Fault, serving


@pytest.fixture
def fake(servers: None) -> Iterator[FakeGuildhall]:
    with serving(FakeGuildhall()) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    posts, comments = [question(1, 1), answer(2, 1, 1)], [comment(7, 2, 1)]
    return write_dump(tmp_path / "dump", users=[user(1)], posts=posts, comments=comments)


def invoke(folder: Path, fake: FakeGuildhall, *more: str) -> Result:
    at = ["--community", "town", "--origin", fake.origin, "--token", "secret", "--site", "town"]
    return CliRunner().invoke(app, ["stackexchange", str(folder), *at, *more])


def test_a_good_import_ends_with_a_report_and_zero(folder: Path, fake: FakeGuildhall) -> None:
    result = invoke(folder, fake)
    assert (result.exit_code, "Imported into town" in result.output) == (0, True)


def test_origin_and_token_may_come_from_the_environment(folder: Path, fake: FakeGuildhall) -> None:
    environment = {"GUILDHALL_ORIGIN": fake.origin, "GUILDHALL_TOKEN": "secret"}
    result = CliRunner().invoke(app, ["stackexchange", str(folder), "--community", "town"], env=environment)
    assert result.exit_code == 0


def test_the_map_says_which_row_became_what(folder: Path, fake: FakeGuildhall, tmp_path: Path) -> None:
    invoke(folder, fake, "--map", str(tmp_path / "map.csv"))
    with (tmp_path / "map.csv").open() as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        ("Users", "1", "member", str(uuid5(NAMESPACE, "stackexchange:town:1"))),
        ("Posts", "1", "thread", str(uuid5(NAMESPACE, "stackexchange:town:post:1"))),
        ("Posts", "2", "reply", str(uuid5(NAMESPACE, "stackexchange:town:post:2"))),
        ("Comments", "7", "comment", str(uuid5(NAMESPACE, "stackexchange:town:comment:7"))),
    ]


def test_refused_rows_make_it_fail_and_are_written_where_asked(
    folder: Path, fake: FakeGuildhall, tmp_path: Path
) -> None:
    fake.refused.add("stackexchange:town:comment:7")
    result = invoke(folder, fake, "--rejected", str(tmp_path / "rejected.ndjson"))
    (row,) = [json.loads(line) for line in (tmp_path / "rejected.ndjson").read_text().splitlines()]
    assert (result.exit_code, "Rejected: Comments 7: Too long." in result.output) == (1, True)
    assert (row["table"], row["row"], row["problem"]["detail"]) == ("Comments", "7", "Too long.")
    assert row["command"]["source"] == "stackexchange:town:comment:7"


@pytest.mark.parametrize("option", ["--map", "--rejected"])
def test_what_it_writes_is_for_its_owner_alone_and_never_where_a_planted_link_leads(
    folder: Path, fake: FakeGuildhall, tmp_path: Path, option: str
) -> None:
    (tmp_path / "kept").write_text("untouched")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "nowhere").symlink_to(tmp_path / "made")
    for link in ("link", "nowhere"):
        result = invoke(folder, fake, option, str(tmp_path / link))
        assert (result.exit_code, "is a symbolic link" in result.output) == (1, True)
    assert (tmp_path / "kept").read_text() == "untouched"
    assert not (tmp_path / "made").exists()
    (tmp_path / "own").write_text("of an earlier import, and much longer than what comes of this one\n" * 50)
    for name in ("fresh", "own"):
        assert invoke(folder, fake, option, str(tmp_path / name)).exit_code == 0
        assert "earlier" not in (tmp_path / name).read_text()
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o600
    assert invoke(folder, fake, option, "/dev/null").exit_code == 0


def test_a_state_folder_of_somebody_else_is_refused_without_a_traceback(
    folder: Path, fake: FakeGuildhall, tmp_path: Path
) -> None:
    (tmp_path / "state").symlink_to(tmp_path)
    at = ["--community", "town", "--origin", fake.origin, "--home", str(tmp_path / "state")]
    result = CliRunner().invoke(app, ["stackexchange", str(folder), *at])
    assert (result.exit_code, "symbolic link, not a folder" in result.output) == (1, True)


def test_without_a_local_system_it_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    at = ["--community", "town", "--token", "secret", "--home", str(tmp_path / "none")]
    result = CliRunner().invoke(app, ["stackexchange", str(folder), *at])
    assert (result.exit_code, "Start one with `guildhall up`" in result.output) == (1, True)


def test_a_folder_without_a_dump_is_told_without_a_traceback(fake: FakeGuildhall, tmp_path: Path) -> None:
    result = invoke(tmp_path, fake)
    assert (result.exit_code, "has no Users.xml" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("Users.xml", b""),
        ("Posts.xml", b"Not found"),
        ("Votes.xml", b"PK\x03\x04"),
        ("Comments.xml", b"<!DOCTYPE html><html></html>"),
        ("Users.xml", b'<!DOCTYPE users [<!ENTITY a "x">]><users><row Id="&a;" /></users>'),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence_before_anything_is_sent(
    folder: Path, fake: FakeGuildhall, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    result = invoke(folder, fake)
    said = [line for line in result.output.splitlines() if "━" not in line]
    assert (result.exit_code, len(said), str(folder / name) in said[0]) == (1, 1, True)
    assert (fake.communities, type(result.exception)) == (set(), SystemExit)


def test_odd_rows_are_no_failure_and_are_counted(folder: Path, fake: FakeGuildhall) -> None:
    posts = folder / "Posts.xml"
    posts.write_bytes(posts.read_bytes().replace(b"Body 1", b"\xff\x0e &nbsp; &"))
    (folder / "Votes.xml").unlink()
    result = invoke(folder, fake)
    assert (result.exit_code, fake.seen["stackexchange:town:post:1"]["body"]) == (0, "<p>\ufffd \xa0 &</p>")
    assert "Note: 1 row with something that XML forbids: mended and kept." in result.output
    assert "Note: Votes.xml is not there: no votes and no acceptances come in." in result.output


@pytest.mark.parametrize("site", ["a:b", "", ".", "a b", "é", "x" * 64, ":smile:"])
def test_a_site_has_a_name_that_fits_into_ids(folder: Path, fake: FakeGuildhall, site: str) -> None:
    result = invoke(folder, fake, "--site", site)
    assert (result.exit_code, result.output.strip()) == (
        1,
        f"--site {site}: a site's name has up to 63 letters a-z, digits, dots and hyphens.",
    )


def test_a_site_is_one_however_it_is_spelt(folder: Path, fake: FakeGuildhall) -> None:
    invoke(folder, fake, "--site", "French.Meta")
    assert "stackexchange:french.meta:post:1" in fake.seen


@pytest.mark.usefixtures("servers")
def test_interrupted_it_says_what_stays_and_the_next_run_comes_to_the_end(folder: Path, fake: FakeGuildhall) -> None:
    fake.faults.extend([Fault(status=503)] * 10_000)  # it waits for a service, in the middle
    # A shell starts what it puts in the background with SIGINT ignored, and the tests may run there.
    program = "import signal; signal.signal(2, signal.default_int_handler); from deploy.importers.cli import app; app()"
    command = [sys.executable, "-c", program, "stackexchange", str(folder)]
    at = ["--community", "town", "--origin", fake.origin, "--token", "secret"]
    with subprocess.Popen([*command, *at], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            while not fake.requests:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    fake.faults.clear()
    assert (process.returncode, "run the same command again" in errors) == (130, True)
    assert invoke(folder, fake).exit_code == 0
