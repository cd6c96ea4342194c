"""A dump is found however it is spelt and packed, and read; or one sentence says what to do."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.importers.dump import Dump, DumpError
from tests.importers.dumps import document, question, user, write_dump

LEVELS = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
ROW = '<users><row Id="1" DisplayName="&a;" /></users>'
BOMBS = {
    "of levels": f'<!DOCTYPE users [<!ENTITY a "ha"><!ENTITY e0 "ha">{LEVELS}]>\n{ROW.replace("&a;", "&e12;")}',
    "in lower case": f'<!doctype users [<!entity a "ha">]>\n{ROW}',
    "of a file": f'<!DOCTYPE users [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n{ROW}',
    "without rows": '<!DOCTYPE users [<!ENTITY % a "ha"> %a;]>\n<users></users>',
    "behind much": f'<!DOCTYPE users [<!-- {"x" * 300_000} --><!ENTITY a "ha">]>\n{ROW}',
}


def ids(folder: Path, table: str = "Users") -> list[str]:
    return [row["Id"] for row in Dump.at(folder).rows(table)]


def put(folder: Path, name: str, content: bytes | str) -> None:
    """Write that instead of Users.xml."""
    (folder / "Users.xml").unlink(missing_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def test_rows_come_in_the_files_order_with_their_attributes(tmp_path: Path) -> None:
    dump = Dump.at(write_dump(tmp_path, users=[user(2), user(-1)]))
    assert [row["Id"] for row in dump.rows("Users")] == ["2", "-1"]


def test_a_compressed_table_reads_like_a_plain_one(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Users.xml").unlink()
    (tmp_path / "Users.xml.gz").write_bytes(gzip.compress(document("Users", [user(7)]).encode()))
    assert [row["Id"] for row in Dump.at(tmp_path).rows("Users")] == ["7"]


@pytest.mark.parametrize(
    "names",
    [
        ("users.xml", "posts.xml", "comments.xml", "votes.xml"),
        ("USERS.XML", "POSTS.XML", "COMMENTS.XML", "VOTES.XML"),
        ("Users.xml.gz", "posts.xml.gz", "COMMENTS.XML.GZ", "Votes.XML.gz"),
    ],
)
def test_names_are_read_in_upper_and_lower_case(tmp_path: Path, names: tuple[str, ...]) -> None:
    for table, name in zip(("Users", "Posts", "Comments", "Votes"), names, strict=True):
        content = document(table, [{"Id": "7"}]).encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    assert [ids(tmp_path, table) for table in ("Users", "Posts", "Comments", "Votes")] == [["7"]] * 4


def test_what_a_file_is_goes_before_its_name(tmp_path: Path) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", gzip.compress(document("Users", [user(7)]).encode()))
    assert ids(tmp_path) == ["7"]
    put(tmp_path, "Users.xml.gz", document("Users", [user(8)]))
    assert ids(tmp_path) == ["8"]


def test_of_two_files_of_a_table_the_plain_one_is_read(tmp_path: Path) -> None:
    write_dump(tmp_path, users=[user(1)])
    (tmp_path / "Users.xml.gz").write_bytes(gzip.compress(document("Users", [user(7)]).encode()))
    assert ids(tmp_path) == ["1"]


@pytest.mark.parametrize(("table", "what"), [("Comments", "no comments"), ("Votes", "no votes and no acceptances")])
def test_comments_and_votes_may_be_missing_and_it_is_said(tmp_path: Path, table: str, what: str) -> None:
    write_dump(tmp_path)
    (tmp_path / f"{table}.xml").unlink()
    dump = Dump.at(tmp_path)
    assert list(dump.rows(table)) == []
    assert dump.remarks == {table: f"{table}.xml is not there: {what} come in."}


def test_badges_may_be_missing_without_a_word(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Badges.xml").unlink()
    dump = Dump.at(tmp_path)
    assert (list(dump.rows("Badges")), dump.remarks) == ([], {})


@pytest.mark.parametrize("table", ["Users", "Posts"])
def test_users_and_posts_are_needed_and_not_empty(tmp_path: Path, table: str) -> None:
    write_dump(tmp_path)
    (tmp_path / f"{table}.xml").write_bytes(b"")
    with pytest.raises(DumpError, match=rf"{table}\.xml is empty"):
        list(Dump.at(tmp_path).rows(table))
    (tmp_path / f"{table}.xml").unlink()
    with pytest.raises(DumpError, match=rf"has no {table}\.xml"):
        Dump.at(tmp_path)


@pytest.mark.parametrize("content", [b"", codecs.BOM_UTF8, b" \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_of_votes_is_said(tmp_path: Path, content: bytes) -> None:
    write_dump(tmp_path)
    (tmp_path / "Votes.xml").write_bytes(content)
    dump = Dump.at(tmp_path)
    assert (list(dump.rows("Votes")), "Votes.xml is empty" in dump.remarks["Votes"]) == ([], True)


@pytest.mark.parametrize(
    "empty", ["<users></users>", "<users />", "<users/>\n", "\ufeff<?xml version='1.0'?><users>\n</users>"]
)
def test_a_table_without_rows_is_whole(tmp_path: Path, empty: str) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", empty)
    dump = Dump.at(tmp_path)
    assert (list(dump.rows("Users")), dump.remarks) == ([], {})


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="nowhere is not a folder"):
        Dump.at(tmp_path / "nowhere")
    write_dump(tmp_path)
    with pytest.raises(DumpError, match=r"Posts\.xml is not a folder. Name the folder that holds"):
        Dump.at(tmp_path / "Posts.xml")


@pytest.mark.parametrize("suffix", ["7z", "zip", "7Z", "tar.gz", "7z.001"])
def test_a_packed_dump_asks_to_be_unpacked(tmp_path: Path, suffix: str) -> None:
    packed = tmp_path / f"french.meta.stackexchange.com.{suffix}"
    packed.touch()
    with pytest.raises(DumpError, match=rf"Unpack french\.meta\.stackexchange\.com\.{suffix} first"):
        Dump.at(tmp_path)
    with pytest.raises(DumpError, match=r"is packed\. Unpack it, and name the folder"):
        Dump.at(packed)


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c\0\4", b"PK\x03\x04\x14\0"])
def test_a_packed_file_under_a_tables_name_asks_to_be_unpacked(tmp_path: Path, magic: bytes) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", magic + bytes(100))
    with pytest.raises(DumpError, match=r"Users\.xml is packed. Unpack it"):
        list(Dump.at(tmp_path).rows("Users"))


def test_a_folder_above_is_read_where_it_holds_one_dump(tmp_path: Path) -> None:
    write_dump(tmp_path / "archive" / "site", users=[user(7)])
    (tmp_path / "notes").mkdir()
    assert ids(tmp_path) == ["7"]


def test_of_several_dumps_below_one_has_to_be_named(tmp_path: Path) -> None:
    for site in ("cooking", "baking"):
        write_dump(tmp_path / site)
    with pytest.raises(DumpError, match=r"holds 2 dumps: baking, cooking\. Name one of these folders"):
        Dump.at(tmp_path)


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-8", "UTF-16"),
        ("utf-8", "no-such-thing"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-8"),
        ("utf-16-be", "utf-16"),
        ("utf-32", "utf-8"),
        ("iso-8859-1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
        ("shift_jis", "Shift_JIS"),
        ("gb18030", "GB18030"),
    ],
)
def test_encodings_go_by_their_mark_then_by_what_is_declared(tmp_path: Path, encoding: str, declared: str) -> None:
    word = {"shift_jis": "日本", "gb18030": "中文"}.get(encoding, "café")
    text = document("Users", [user(n, About=word) for n in range(2_000)]).replace('"utf-8"', f'"{declared}"')
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", text.encode(encoding))
    assert {row["About"] for row in Dump.at(tmp_path).rows("Users")} == {word}


def test_bytes_that_are_no_text_stand_as_such(tmp_path: Path) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", document("Users", [user(n, About="café") for n in range(3)]).encode("latin-1"))
    assert [row["About"] for row in Dump.at(tmp_path).rows("Users")] == ["caf\ufffd"] * 3


@pytest.mark.parametrize(
    "prolog",
    [
        '<?xml version="1.0"?>\n<!DOCTYPE users>\n<users>',
        '<!DOCTYPE users SYSTEM "users.dtd">\r\n<users>\r\n',
        "<!DOCTYPE users [<!ELEMENT users (row*)> <!ATTLIST row Id CDATA #REQUIRED>]><users>",
        "<!-- made by hand: <users> --><users>",
        "<USERS>",
        '<users xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">',
        "",
    ],
)
def test_what_stands_before_the_rows_is_passed_over(tmp_path: Path, prolog: str) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", f'{prolog}<row Id="1" />\r\n<row Id="2" />\r\n')
    assert ids(tmp_path) == ["1", "2"]


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_entities_are_refused_in_one_sentence_and_in_little_memory(tmp_path: Path, bomb: str) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", f'<?xml version="1.0"?>\n{bomb}')
    tracemalloc.start()
    with pytest.raises(DumpError, match=r"Users\.xml, line 2: it declares entities, which are not accepted"):
        list(Dump.at(tmp_path).rows("Users"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


def test_a_file_that_ends_too_early_gives_what_stands_before(tmp_path: Path) -> None:
    write_dump(tmp_path, users=[user(1), user(2)])
    put(tmp_path, "Users.xml", (tmp_path / "Users.xml").read_text().replace("</users>", ""))
    dump = Dump.at(tmp_path)
    assert [row["Id"] for row in dump.rows("Users")] == ["1", "2"]
    assert dump.remarks == {"Users": "Users.xml ends too early: what stands before comes in."}


@pytest.mark.parametrize("damage", [lambda packed: packed[:-2_000], lambda packed: packed[:9_000] + b"!" * 500])
def test_a_damaged_compressed_file_gives_what_stands_before(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    words = (hashlib.sha256(str(n).encode()).hexdigest() for n in range(3_000))
    whole = document("Users", [user(n, About=word) for n, word in enumerate(words)])
    write_dump(tmp_path)
    put(tmp_path, "Users.xml.gz", damage(gzip.compress(whole.encode())))
    dump = Dump.at(tmp_path)
    *read, _ = [row.get("Id") for row in dump.rows("Users")]
    assert read == [str(n) for n in range(len(read))]
    assert read
    assert "Users.xml.gz is a damaged gzip file" in dump.remarks["Users"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (document("Posts", [question(1, 1)]), "this is <posts>, not <users>"),
        ("<!DOCTYPE html><html><body>404</body></html>", "this is <html>, not <users>"),
        ("Not found", "this is no XML with <users>"),
        (bytes(range(256)) * 8_000, "this is no XML with <users>"),
    ],
)
def test_what_is_no_table_is_not_taken_for_one(tmp_path: Path, content: str | bytes, said: str) -> None:
    write_dump(tmp_path)
    put(tmp_path, "Users.xml", content)
    with pytest.raises(DumpError, match=rf"Users\.xml: {said}"):
        list(Dump.at(tmp_path).rows("Users"))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    write_dump(tmp_path, users=(user(id_, AboutMe="x" * 500) for id_ in range(20_000)))
    dump = Dump.at(tmp_path)
    tracemalloc.start()
    assert sum(1 for _ in dump.rows("Users")) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
