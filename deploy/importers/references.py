"""What rows say of other rows is kept in a temporary file, so that memory stays bounded however large the dump is."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class Post:
    """What other rows need to know of a post: what it becomes (None: nothing), a reply's question and its asker."""

    kind: str | None
    question: int | None
    asker: int | None


class References:
    """Users, posts and acceptances by their ids in the dump. SQLite removes its file at the end, whatever happens."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # no name: a private file that vanishes
        self._db.executescript(
            """
            pragma journal_mode = off;
            pragma synchronous = off;
            create table users (id integer primary key);
            create table posts (id integer primary key, kind text, question integer, owner integer);
            create table acceptances (question integer primary key, at text, vote integer);
            begin;
            """
        )

    def __enter__(self) -> References:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()

    def add_user(self, user: int) -> None:
        self._db.execute("insert or ignore into users values (?)", (user,))

    def add_post(self, post: int, kind: str | None, question: int | None, owner: int | None) -> None:
        self._db.execute("insert or ignore into posts values (?, ?, ?, ?)", (post, kind, question, owner))

    def add_acceptance(self, question: int, at: str, vote: int) -> None:
        """Of several acceptances for one question the latest stands."""
        self._db.execute(
            """
            insert into acceptances values (?, ?, ?) on conflict (question) do update
            set at = excluded.at, vote = excluded.vote where (excluded.at, excluded.vote) > (at, vote)
            """,
            (question, at, vote),
        )

    def acceptance(self, question: int) -> int | None:
        """The vote that stands as the question's acceptance."""
        found = self._db.execute("select vote from acceptances where question = ?", (question,)).fetchone()
        return None if found is None else int(found[0])

    def knows_user(self, user: int) -> bool:
        return self._db.execute("select 1 from users where id = ?", (user,)).fetchone() is not None

    def post(self, post: int) -> Post | None:
        """A reply whose question is not there becomes nothing."""
        found = self._db.execute(
            """
            select case when p.kind = 'reply' and q.kind is not 'thread' then null else p.kind end, p.question, q.owner
            from posts p left join posts q on q.id = p.question where p.id = ?
            """,
            (post,),
        ).fetchone()
        return None if found is None else Post(*found)
