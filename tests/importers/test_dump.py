"""A dump is read row by row; what is wrong with it is said with file and line."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from deploy.importers.dump import Dump, DumpError
from tests.importers.dumps import document, user, write_dump

BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE users [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>\n'
    '<users><row Id="1" DisplayName="&b;" /></users>'
)


def test_rows_come_in_the_files_order_with_their_attributes(tmp_path: Path) -> None:
    dump = Dump.at(write_dump(tmp_path, users=[user(2), user(-1)]))
    assert [row["Id"] for row in dump.rows("Users")] == ["2", "-1"]


def test_a_compressed_table_reads_like_a_plain_one(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Users.xml").unlink()
    (tmp_path / "Users.xml.gz").write_bytes(gzip.compress(document("Users", [user(7)]).encode()))
    assert [row["Id"] for row in Dump.at(tmp_path).rows("Users")] == ["7"]


def test_badges_may_be_missing_and_nothing_else(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Badges.xml").unlink()
    assert list(Dump.at(tmp_path).rows("Badges")) == []
    (tmp_path / "Votes.xml").unlink()
    with pytest.raises(DumpError, match=r"has no Votes\.xml"):
        Dump.at(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="nowhere is not a folder"):
        Dump.at(tmp_path / "nowhere")


def test_a_packed_dump_asks_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "french.meta.stackexchange.com.7z").touch()
    with pytest.raises(DumpError, match=r"Unpack french\.meta\.stackexchange\.com\.7z first"):
        Dump.at(tmp_path)


def test_broken_xml_is_told_with_file_line_and_column(tmp_path: Path) -> None:
    write_dump(tmp_path, users=[user(1), user(2)])
    file = tmp_path / "Users.xml"
    file.write_text(file.read_text().replace('DisplayName="user 2"', "DisplayName=user 2"))
    with pytest.raises(DumpError, match=r"Users\.xml, line 4, column \d+: broken XML"):
        list(Dump.at(tmp_path).rows("Users"))


def test_a_file_that_ends_too_early_is_broken(tmp_path: Path) -> None:
    write_dump(tmp_path, users=[user(1), user(2)])
    file = tmp_path / "Users.xml"
    file.write_text(file.read_text().replace("</users>", ""))
    with pytest.raises(DumpError, match=r"Users\.xml, line 6, column 1: broken XML: no element found$"):
        list(Dump.at(tmp_path).rows("Users"))


def test_entities_and_document_types_are_refused(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Users.xml").write_text(BOMB)
    with pytest.raises(DumpError, match=r"Users\.xml, line 2: document types and entities are not accepted"):
        list(Dump.at(tmp_path).rows("Users"))


def test_a_damaged_compressed_file_is_told(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Users.xml").unlink()
    (tmp_path / "Users.xml.gz").write_bytes(gzip.compress(document("Users", [user(7)]).encode())[:-20])
    with pytest.raises(DumpError, match=r"Users\.xml\.gz: damaged gzip file"):
        list(Dump.at(tmp_path).rows("Users"))


def test_another_tables_file_is_not_taken_for_this_one(tmp_path: Path) -> None:
    write_dump(tmp_path)
    (tmp_path / "Users.xml").write_text(document("Posts", []))
    with pytest.raises(DumpError, match="this is <posts>, not <users>"):
        list(Dump.at(tmp_path).rows("Users"))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    write_dump(tmp_path, users=(user(id_, AboutMe="x" * 500) for id_ in range(20_000)))
    dump = Dump.at(tmp_path)
    tracemalloc.start()
    assert sum(1 for _ in dump.rows("Users")) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
