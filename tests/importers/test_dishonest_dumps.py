"""A dump that somebody made to harm whoever imports it costs little, leads nowhere and steers no terminal."""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.importers import dump as dumps
from deploy.importers.cli import app
from deploy.importers.dump import Dump, DumpError
from deploy.importers.references import References
from deploy.importers.rows import Foreign, Table
from deploy.importers.stackexchange import AHEAD, TOO_EARLY, UNREADABLE, StackExchange
from deploy.importers.transfer import silent
from deploy.importers.values import TITLE, title_of
from tests.importers.dishonest import steering
from tests.importers.dumps import document, question, user, vote, write_dump

pytestmark = pytest.mark.usefixtures("seconds")

MEBI = 1 << 20
NOWHERE = ("--origin", "http://127.0.0.1:9")


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dump(tmp_path / "dump", users=[user(1)], posts=[question(1, 1)])


def read(table: str, *texts: str) -> list[object]:
    return list(Table(table).rows(iter(texts)))


@pytest.mark.parametrize("opening", ["<!--", "<?x ", "<!DOCTYPE a [", "<!DOCTYPE "])
def test_a_prolog_of_openings_that_never_end_is_read_once(opening: str) -> None:
    prolog = opening * (MEBI // len(opening))
    assert seconds(lambda: read("posts", prolog, '\n<row Id="1" />')) < 1


@pytest.mark.parametrize("declaration", ["<!ENTITY", "<!entity", "<!EntİTY", "<!ENTıTY"])
def test_no_entity_is_declared_however_it_is_spelt(declaration: str) -> None:
    with pytest.raises(Foreign, match="line 2: it declares entities"):
        read("posts", f'<!DOCTYPE posts [\n{declaration} a "lol">]><posts><row Id="1" Body="&a;" /></posts>')


def test_an_entity_that_is_declared_behind_the_first_row_stays_a_word() -> None:
    doctype = '<!DOCTYPE posts [<!ENTITY a "lol"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
    rows = read("posts", f'<posts><row Id="1" />{doctype}<row Id="2" Body="&b;&c;" /></posts>')
    assert rows[-1] == {"Id": "2", "Body": "&b;&c;"}


def test_a_file_that_unpacks_to_more_than_any_table_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dumps, "ROOMY", MEBI)
    (folder / "Users.xml").unlink()
    with gzip.open(folder / "Users.xml.gz", "wb") as packed:
        packed.write(b"<users>")
        for _ in range(16):
            packed.write(b'<row Id="1" CreationDate="2020-01-01" />\n' * (MEBI // 40))
    with pytest.raises(DumpError, match="unpacks to more than 100 times its size"):
        deque(Dump.at(folder).rows("Users"), 0)


def test_a_gzip_file_of_parts_of_one_byte_takes_no_longer_than_they_do(folder: Path) -> None:
    """No bound in seconds, which a slow machine crosses: a part costs itself, however much came before it."""
    (folder / "Users.xml").unlink()
    part, parts = gzip.compress(b"a", 1), 5_000

    def of(before: int) -> float:
        """Seconds for a file of parts behind so many bytes; the least of some, since others disturb."""
        begin = gzip.compress(b'<users><row Id="1" Name="' + b"a" * before)
        (folder / "Users.xml.gz").write_bytes(begin + part * parts)
        return min(seconds(lambda: deque(Dump.at(folder).rows("Users"), 0)) for _ in range(3))

    assert of(2 * MEBI + 1) < 4 * of(1)


def test_a_file_that_is_a_link_out_of_the_dump_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.xml").write_text(document("Posts", [question(1, 1)]))
    (folder / "Posts.xml").unlink()
    (folder / "Posts.xml").symlink_to(Path("..") / "private.xml")
    with pytest.raises(DumpError, match=r"Posts\.xml is a link to .*private\.xml, outside the dump"):
        Dump.at(folder)
    (folder / "Posts.xml").unlink()
    (folder / "of-2024.xml").write_text(document("Posts", [question(1, 1)]))
    (folder / "Posts.xml").symlink_to("of-2024.xml")
    assert len(list(Dump.at(folder).rows("Posts"))) == 1


def rows_of(count: int, row: str) -> Iterator[str]:
    yield "<posts>"
    at_once = max(1, 65536 // len(row))
    for _ in range(count // at_once):
        yield row * at_once
    yield "</posts>"


@pytest.mark.parametrize(
    "row",
    [
        "<row ",
        '<row Id="1" ' + 'A="" ' * 100,
        "<row " + " ".join(f'a{number}=""' for number in range(100)) + " />",
        "<row><a>" * 10,
        '<row Body="' + "&amp;" * 100 + '" />',
        '<row Body="' + "\0" * 100 + '" />',
        "<row Body='" + "&" * 100 + "' />",
        "<row Body='" + "<row " * 100 + "' />",
    ],
)
def test_rows_of_whatever_kind_take_bounded_memory_and_time(row: str) -> None:
    count = MEBI // 4 // len(row)
    tracemalloc.start()
    try:
        took = seconds(lambda: deque(Table("posts").rows(rows_of(count, row)), 0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (took < 60, peak < 64 * MEBI) == (True, True), (took, peak)


def test_a_title_of_a_million_marks_is_cut_before_it_is_composed() -> None:
    title = "a" + "\u0327\u0301" * MEBI
    assert seconds(lambda: title_of(title)) < 2
    assert len(title_of(title)[0] or "") == TITLE
    assert title_of("a" + "\u0301" * 3 * TITLE)[1] != ()


@pytest.mark.parametrize("id_", ["9" * 19, "-", "1_000", "٣", "0x1", " 1", "1\n", "\x1b[2J", "", "1e3"])
def test_an_absurd_id_is_none(tmp_path: Path, id_: str) -> None:
    assert left_out(write_dump(tmp_path, users=[user(1), {**user(2), "Id": id_}])) == {UNREADABLE: 1}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("9999-12-31T23:59:59.999999-23:59", UNREADABLE),
        ("0001-01-01T00:00:00+23:59", UNREADABLE),
        ("0001-01-01", TOO_EARLY),
        ("9999-12-31", AHEAD),
        ("2020-13-01", UNREADABLE),
        ("2" * 1_000_000, UNREADABLE),
        ("\x1b[2J", UNREADABLE),
    ],
)
def test_an_absurd_date_is_none(tmp_path: Path, at: str, why: str) -> None:
    assert left_out(write_dump(tmp_path, users=[user(1), user(2, at)])) == {why: 1}


def left_out(folder: Path) -> dict[str, int]:
    with References() as references:
        return dict(StackExchange(Dump.at(folder), references).survey(silent).left_out["Users"])


def test_any_number_of_rows_of_one_kind_are_kept_in_a_file(tmp_path: Path) -> None:
    folder = write_dump(
        tmp_path,
        users=[user(1)],
        posts=[question(1, 1)],
        votes=(vote(number, 1, 1) for number in range(20_000, 0, -1)),
    )
    tracemalloc.start()
    try:
        with References() as references:
            StackExchange(Dump.at(folder), references).survey(silent)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEBI
    finally:
        tracemalloc.stop()


def test_names_in_a_dump_steer_no_terminal_and_are_told_in_part(tmp_path: Path) -> None:
    for name in ("\x1b]0;owned\x07", "\u202egnp.exe", "\x9b2J"):
        write_dump(tmp_path / "several" / name, users=[user(1)])
    foreign = write_dump(tmp_path / "foreign", users=[user(1)])
    (foreign / "Users.xml").write_text(f"<{'x' * MEBI}></x>")
    for folder, told in ((tmp_path / "several", "holds 3 dumps: \\u001b]0;owned"), (foreign, "this is <xxx")):
        result = CliRunner().invoke(
            app, ["stackexchange", str(folder), "--community", "town", "--token", "t", *NOWHERE]
        )
        assert (result.exit_code, told in result.output, len(result.output) < 2_500) == (1, True, True)
        assert not steering(result.output)
