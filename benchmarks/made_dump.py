"""A made-up dump of as many rows as wanted, in the proportions of French Meta: the same bytes for the same number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from xml.sax.saxutils import quoteattr

BEGAN = datetime(2011, 8, 17)  # noqa: DTZ001 - dumps write UTC without saying so
LASTS = timedelta(days=3650)
AFTER = timedelta(days=3)
"""The longest from a post to a comment or a vote."""

SHARES = {"Users": 0.21, "Posts": 0.10, "Comments": 0.16, "Votes": 0.53}
WORDS = "What is the usual way to say this, and when would one rather say something else? " * 6

Row = dict[str, object]


def write(folder: Path, rows: int) -> Path:
    """The files of a dump of so many rows, give or take a few, in a folder made for them."""
    folder.mkdir(parents=True)
    for table, made in _Made(rows).tables().items():
        root = table.lower()
        with (folder / f"{table}.xml").open("w") as file:
            file.write(f"<{root}>\n")
            for row in made:
                file.write(f"  <row {' '.join(f'{name}={quoteattr(str(value))}' for name, value in row.items())} />\n")
            file.write(f"</{root}>\n")
    return folder


class _Made:
    def __init__(self, rows: int) -> None:
        self._count = {table: max(2, round(rows * share)) for table, share in SHARES.items()}
        self._random = Random(rows)

    def tables(self) -> dict[str, Iterator[Row]]:
        return {"Users": self._users(), "Posts": self._posts(), "Comments": self._comments(), "Votes": self._votes()}

    def _users(self) -> Iterator[Row]:
        for number in range(1, self._count["Users"] + 1):
            yield {"Id": number, "CreationDate": BEGAN.isoformat(), "DisplayName": f"Member {number}"}

    def _posts(self) -> Iterator[Row]:
        """Every second one answers the one before it."""
        for number in range(1, self._count["Posts"] + 1):
            kind: Row = (
                {"PostTypeId": 1, "Title": WORDS[:60]} if number % 2 else {"PostTypeId": 2, "ParentId": number - 1}
            )
            at = self._at(number).isoformat()
            yield {"Id": number, **kind, "CreationDate": at, "OwnerUserId": self._somebody(), "Body": WORDS}

    def _comments(self) -> Iterator[Row]:
        for number in range(1, self._count["Comments"] + 1):
            yield {"Id": number, **self._about_a_post(), "UserId": self._somebody(), "Text": WORDS[:200]}

    def _votes(self) -> Iterator[Row]:
        for number in range(1, self._count["Votes"] + 1):
            yield {"Id": number, **self._about_a_post(), "VoteTypeId": self._random.choice((1, 2, 2, 2, 2, 3))}

    def _about_a_post(self) -> Row:
        post = self._random.randint(1, self._count["Posts"])
        return {"PostId": post, "CreationDate": (self._at(post) + self._random.random() * AFTER).isoformat()}

    def _at(self, post: int) -> datetime:
        return BEGAN + post / self._count["Posts"] * LASTS

    def _somebody(self) -> int:
        return self._random.randint(1, self._count["Users"])
