"""The sample is made of facts only: of each row the ids, times, kinds and tags, never a name, a word or a reputation.

Run as `python -m deploy.importers.make_sample DUMP_FOLDER`. The same dump gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from deploy.importers.dump import Dump, Row
from deploy.importers.sample import FOLDER

FACTS = {
    "Users": ("Id", "CreationDate"),
    "Posts": ("Id", "PostTypeId", "ParentId", "CreationDate", "OwnerUserId", "Tags"),
    "Comments": ("Id", "PostId", "CreationDate", "UserId"),
    "Votes": ("Id", "PostId", "VoteTypeId", "CreationDate"),
}
LISTED = "## Files"


def make(dump: Dump, folder: Path) -> dict[str, str]:
    """Write the sample's files into a folder; gives the SHA-256 of each by name."""
    sums = {}
    for table, facts in FACTS.items():
        packed = _pack("".join(_document(dump, table, facts)).encode())
        name = f"{table}.xml.gz"
        (folder / name).write_bytes(packed)
        sums[name] = hashlib.sha256(packed).hexdigest()
    return sums


def _document(dump: Dump, table: str, facts: tuple[str, ...]) -> Iterator[str]:
    root = table.lower()
    yield f'<?xml version="1.0" encoding="utf-8"?>\n<{root}>\n'
    for row in sorted(dump.rows(table), key=lambda row: int(row["Id"])):
        yield f"  <row {' '.join(_attributes(row, facts))} />\n"
    yield f"</{root}>\n"


def _attributes(row: Row, facts: tuple[str, ...]) -> Iterator[str]:
    return (f"{fact}={quoteattr(row[fact])}" for fact in facts if fact in row)


def _pack(content: bytes) -> bytes:
    """Compressed without the time and name that would make each run's bytes different."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0, compresslevel=9) as file:
        file.write(content)
    return packed.getvalue()


def list_sums(source: Path, sums: dict[str, str]) -> None:
    """Replace the list of files at the end of the source note."""
    note = source.read_text().partition(LISTED)[0]
    lines = "".join(f"| `{name}` | `{digest}` |\n" for name, digest in sums.items())
    source.write_text(f"{note}{LISTED}\n\n| file | SHA-256 |\n|---|---|\n{lines}")


if __name__ == "__main__":
    list_sums(FOLDER / "SOURCE.md", make(Dump.at(Path(sys.argv[1])), FOLDER))
