"""A dump is told as its site's, and every edition of it as the same site's."""

from __future__ import annotations

from pathlib import Path

from deploy.importers.dump import Dump
from deploy.importers.references import References
from deploy.importers.stackexchange import StackExchange
from tests.importers.dumps import Rows, question, user, write_dump


def test_a_dump_without_a_name_is_of_the_same_site_in_every_edition(tmp_path: Path) -> None:
    def site(name: str, **tables: Rows) -> str | None:
        with References() as references:
            source = StackExchange(Dump.at(write_dump(tmp_path / name, **tables)), references)
            source.survey(lambda activity, rows, total: None)
            return source.site

    made = "2011-08-17T18:34:28.000"
    first = site("first", users=[user(-1, at=made), user(2), user(3)], posts=[question(1, 2)])
    assert first == site("next", users=[user(-1, at=made), user(3), user(4)], posts=[question(5, 3)])
    assert first != site("other", users=[user(-1), user(2), user(3)], posts=[question(1, 2)])
    bare = site("bare", users=[user(2), user(3)], posts=[question(4, 2), question(5, 2)])
    assert bare == site("bare, next", users=[user(3)], posts=[question(5, 3), question(4, 3, Title="Other")])
    assert bare != site("bare, other", users=[user(2)], posts=[question(4, 2, at=made)])
    silent = site("silent", users=[user(2), user(3)])
    assert silent == site("silent, next", users=[user(2), user(3), user(4)]) != site("silent, other", users=[user(3)])
