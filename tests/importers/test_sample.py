"""The sample that comes with the project: facts only, small, as its note says, and made the same way each time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from deploy.importers.dump import Dump
from deploy.importers.make_sample import FACTS, LISTED, list_sums, make
from deploy.importers.references import References
from deploy.importers.sample import FOLDER
from deploy.importers.stackexchange import StackExchange
from tests.importers.dumps import comment, question, user, vote, write_dump


def test_it_holds_facts_only_and_is_well_under_a_megabyte() -> None:
    dump = Dump.at(FOLDER)
    found = {table: {name for row in dump.rows(table) for name in row} for table in FACTS}
    assert found == {table: set(facts) for table, facts in FACTS.items()}
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 200_000


def test_its_files_are_those_its_note_lists() -> None:
    listed = (FOLDER / "SOURCE.md").read_text().partition(LISTED)[2]
    for table in FACTS:
        digest = hashlib.sha256((FOLDER / f"{table}.xml.gz").read_bytes()).hexdigest()
        assert f"| `{table}.xml.gz` | `{digest}` |" in listed


def test_it_becomes_all_of_the_community() -> None:
    with References() as references:
        census = StackExchange(Dump.at(FOLDER), references).survey(lambda activity, rows, total: None)
    assert dict(census.lines) == {
        "member": 1_703,
        "thread": 274,
        "reply": 487,
        "comment": 1_305,
        "acceptance": 86,
        "reaction": 3_990,
    }


def test_the_same_dump_gives_the_same_files_whatever_its_order(tmp_path: Path) -> None:
    tables = {"posts": [question(1, 1), question(2, 1)], "comments": [comment(1, 2, 1)], "votes": [vote(1, 1, 2)]}
    one = write_dump(tmp_path / "one", users=[user(1), user(-1)], **tables)
    two = write_dump(tmp_path / "two", users=[user(-1), user(1)], **tables)
    sums = [make(Dump.at(folder), folder) for folder in (one, two)]
    assert sums[0] == sums[1]


def test_no_word_and_no_name_survives(tmp_path: Path) -> None:
    full = write_dump(tmp_path / "full", users=[user(1)], posts=[question(1, 1)], comments=[comment(1, 1, 1)])
    facts = tmp_path / "facts"
    facts.mkdir()
    make(Dump.at(full), facts)
    rows = [row for table in FACTS for row in Dump.at(facts).rows(table)]
    assert not [value for row in rows for value in row.values() if "user" in value or "Body" in value]


def test_the_list_of_files_is_replaced_as_a_whole(tmp_path: Path) -> None:
    note = tmp_path / "SOURCE.md"
    note.write_text(f"Source.\n\n{LISTED}\n\nold\n")
    list_sums(note, {"Users.xml.gz": "abc"})
    assert note.read_text() == f"Source.\n\n{LISTED}\n\n| file | SHA-256 |\n|---|---|\n| `Users.xml.gz` | `abc` |\n"
