"""Writes a dump as Stack Exchange does: one file a table, one `<row …/>` a line, behind a byte order mark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

Rows = Iterable[Mapping[str, str]]

FIRST_DAY = "2020-01-01T08:00:00.000"


def write_dump(
    folder: Path, *, users: Rows = (), posts: Rows = (), comments: Rows = (), votes: Rows = (), badges: Rows = ()
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"Users": users, "Posts": posts, "Comments": comments, "Votes": votes, "Badges": badges}
    for table, rows in tables.items():
        (folder / f"{table}.xml").write_text(document(table, rows), encoding="utf-8-sig")
    return folder


def document(table: str, rows: Rows) -> str:
    lines = "".join(f"  <row {' '.join(f'{k}={quoteattr(v)}' for k, v in row.items())} />\n" for row in rows)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<{table.lower()}>\n{lines}</{table.lower()}>\n'


def user(id_: int, at: str = FIRST_DAY, **more: str) -> dict[str, str]:
    return {"Id": str(id_), "CreationDate": at, "DisplayName": f"user {id_}", **more}


def question(id_: int, owner: int | None, at: str = FIRST_DAY, tags: str = "<help>", **more: str) -> dict[str, str]:
    row = {"Id": str(id_), "PostTypeId": "1", "CreationDate": at, "Title": f"Title {id_}", "Body": f"<p>Body {id_}</p>"}
    return {**row, "Tags": tags, **owned("OwnerUserId", owner), **more}


def answer(id_: int, parent: int, owner: int | None, at: str = FIRST_DAY) -> dict[str, str]:
    row = {"Id": str(id_), "PostTypeId": "2", "ParentId": str(parent), "CreationDate": at, "Body": f"<p>Body {id_}</p>"}
    return {**row, **owned("OwnerUserId", owner)}


def comment(id_: int, post: int, author: int | None, at: str = FIRST_DAY) -> dict[str, str]:
    row = {"Id": str(id_), "PostId": str(post), "Text": f"Comment {id_}", "CreationDate": at}
    return {**row, **owned("UserId", author)}


def vote(id_: int, post: int, kind: int, day: str = FIRST_DAY[:10]) -> dict[str, str]:
    return {"Id": str(id_), "PostId": str(post), "VoteTypeId": str(kind), "CreationDate": f"{day}T00:00:00.000"}


def owned(attribute: str, user_: int | None) -> dict[str, str]:
    return {} if user_ is None else {attribute: str(user_)}
