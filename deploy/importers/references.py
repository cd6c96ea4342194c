"""What rows say of other rows is kept in a temporary file, so that memory stays bounded however large the dump is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

PostKind = Literal["thread", "reply", "lost"]
"""What a post would become by itself. A question that was left out is lost."""


@dataclass(frozen=True, slots=True)
class Post:
    """What other rows need to know of a post: what it becomes (None: nothing), a reply's question and its asker.

    `lost` is whether it would be something, had it or its question not been left out.
    """

    kind: str | None
    question: int | None
    asker: int | None
    lost: bool = False


class References:
    """Users, posts, comments and acceptances by their ids in the dump, the first row of each id.

    SQLite removes its file at the end, whatever happens.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # no name: a private file that vanishes
        self._db.executescript(
            """
            pragma journal_mode = off;
            pragma synchronous = off;
            create table users (id integer primary key);
            create table refused (id integer primary key);
            create table posts (id integer primary key, kind text, question integer, owner integer, at text);
            create table comments (id integer primary key, post integer, at text);
            create table acceptances (question integer primary key, at text, vote integer);
            create table turns (kind text, id integer, turn integer, primary key (kind, id)) without rowid;
            create table suspects (source text, id integer, line integer, primary key (source, id)) without rowid;
            create view standing as
                select p.*, q.owner as asker,
                    case when p.kind = 'thread' or p.kind = 'reply' and q.kind = 'thread' then p.kind end as becomes,
                    p.kind = 'lost' or p.kind = 'reply' and q.kind = 'lost' as lost
                from posts p left join posts q on q.id = p.question;
            begin;
            """
        )
        self._highest: dict[str, int] = {}
        self._suspected: set[str] = set()
        self._any_turns = self._any_refused = False

    def __enter__(self) -> References:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()

    def see(self, table: str, id_: int) -> None:
        """Once for every row, in the file's order: dumps are sorted, so few rows can have an id that was there."""
        if id_ > self._highest.get(table, -(1 << 63)):
            self._highest[table] = id_
        else:
            self._suspected.add(table)
            self._db.execute("insert or ignore into suspects values (?, ?, null)", (table, id_))

    def is_repeated(self, table: str, id_: int, line: int) -> bool:
        """Whether a row before that one, the `line`-th of the table, has its id. Ask in the file's order, after all
        were seen.
        """
        if table not in self._suspected:
            return False
        first = self._db.execute("select line from suspects where source = ? and id = ?", (table, id_)).fetchone()
        if first is None or first[0] == line:
            return False
        if first[0] is None:
            self._db.execute("update suspects set line = ? where source = ? and id = ?", (line, table, id_))
        return first[0] is not None

    def add_user(self, user: int) -> None:
        self._db.execute("insert or ignore into users values (?)", (user,))

    def refuse_user(self, user: int) -> None:
        """They are nobody known from now on."""
        self._any_refused = True
        self._db.execute("delete from users where id = ?", (user,))
        self._db.execute("insert or ignore into refused values (?)", (user,))

    def knows_user(self, user: int) -> bool:
        return self._db.execute("select 1 from users where id = ?", (user,)).fetchone() is not None

    def is_refused(self, user: int) -> bool:
        query = "select 1 from refused where id = ?"
        return self._any_refused and self._db.execute(query, (user,)).fetchone() is not None

    def add_post(self, post: int, kind: PostKind | None, question: int | None, owner: int | None, at: str) -> None:
        """A row that can be used goes before one of the same id that is lost."""
        self._db.execute(
            """
            insert into posts values (?, ?, ?, ?, ?) on conflict (id) do update
            set kind = excluded.kind, question = excluded.question, owner = excluded.owner, at = excluded.at
            where posts.kind = 'lost'
            """,
            (post, kind, question, owner, at),
        )

    def add_comment(self, comment: int, post: int, at: str) -> None:
        self._db.execute("insert or ignore into comments values (?, ?, ?)", (comment, post, at))

    def add_acceptance(self, question: int, at: str, vote: int) -> None:
        """Of several acceptances for one question the latest stands."""
        self._db.execute(
            """
            insert into acceptances values (?, ?, ?) on conflict (question) do update
            set at = excluded.at, vote = excluded.vote where (excluded.at, excluded.vote) > (at, vote)
            """,
            (question, at, vote),
        )

    def take_turns(self) -> None:
        """Number what happened at one instant, threads, replies and comments each, in the order of the ids."""
        for kind, rows in (
            ("thread", "select id, at from standing where becomes = 'thread'"),
            ("reply", "select id, at from standing where becomes = 'reply'"),
            ("comment", "select c.id, c.at from comments c join standing s on s.id = c.post and s.becomes is not null"),
        ):
            # No parameter and nothing from outside stands in the statement.
            numbered = f"select id, row_number() over (partition by at order by id) - 1 as turn from ({rows})"  # noqa: S608
            self._db.execute(f"insert into turns select '{kind}', id, turn from ({numbered}) where turn > 0")  # noqa: S608
        self._any_turns = self._db.execute("select 1 from turns limit 1").fetchone() is not None

    def turn(self, kind: str, id_: int) -> int:
        """How many of that kind come before it at its instant."""
        if not self._any_turns:
            return 0
        found = self._db.execute("select turn from turns where kind = ? and id = ?", (kind, id_)).fetchone()
        return 0 if found is None else int(found[0])

    def acceptance(self, question: int) -> int | None:
        """The vote that stands as the question's acceptance."""
        found = self._db.execute("select vote from acceptances where question = ?", (question,)).fetchone()
        return None if found is None else int(found[0])

    def post(self, post: int) -> Post | None:
        """A reply whose question is not there becomes nothing."""
        query = "select becomes, question, asker, lost from standing where id = ?"
        found: Iterable[object] | None = self._db.execute(query, (post,)).fetchone()
        if found is None:
            return None
        kind, question, asker, lost = found
        return Post(kind, question, asker, bool(lost))  # type: ignore[arg-type]  # as the table is made
