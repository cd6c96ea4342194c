"""A Stack Exchange dump is a folder of XML files, read row by row; what is wrong is said with file and line."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree.ElementTree import ParseError  # the exception only; the parser is defusedxml's
from xml.parsers.expat import ErrorString

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import XMLParser

Row = Mapping[str, str]
"""The attributes of one `<row …/>`."""

NEEDED = ("Users", "Posts", "Comments", "Votes")
OPTIONAL = ("Badges",)
CHUNK = 64 * 1024


class DumpError(Exception):
    """A folder or file that cannot be read as a dump; the message says where and why."""


class _Collector:
    """Takes the rows of one table as the parser meets them, and builds no tree."""

    def __init__(self, table: str) -> None:
        self.rows: list[Row] = []
        self.wrong_root: str | None = None
        self._root, self._depth = table.lower(), 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag != self._root:
            self.wrong_root = tag
        if self._depth == 1 and tag == "row":
            self.rows.append(attributes)
        self._depth += 1

    def end(self, tag: str) -> None:
        self._depth -= 1


@dataclass(frozen=True)
class Dump:
    """The folder of a dump; each table is `<Table>.xml` or `<Table>.xml.gz`."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Dump:
        """The dump in a folder. Raises `DumpError` when the folder or a file that is needed is not there."""
        if not folder.is_dir():
            raise DumpError(
                f"{folder} is not a folder. Name the folder that holds Users.xml, Posts.xml and the others."
            )
        dump = cls(folder)
        missing = [f"{table}.xml" for table in NEEDED if dump.file(table) is None]
        if missing:
            packed = sorted(path.name for path in folder.glob("*.7z"))
            hint = f" Unpack {packed[0]} first." if packed else ""
            raise DumpError(f"{folder} has no {', '.join(missing)} (nor the same with .gz).{hint}")
        return dump

    def file(self, table: str) -> Path | None:
        candidates = (self.folder / f"{table}.xml", self.folder / f"{table}.xml.gz")
        return next((path for path in candidates if path.is_file()), None)

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of a table in the file's order, with bounded memory; none when an optional file is missing.

        Raises `DumpError` for XML that is broken, that is another table's, or that declares a document type
        (entities are how a small file becomes an endless one).
        """
        path = self.file(table)
        if path is None:
            return
        try:
            with _open(path) as file:
                yield from _rows_of(file, path, table)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DumpError(f"{path}: damaged gzip file: {error}") from error
        except OSError as error:
            raise DumpError(f"{path}: {error.strerror or error}") from error


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _rows_of(file: BinaryIO, path: Path, table: str) -> Iterator[Row]:
    collector = _Collector(table)
    parser = XMLParser(target=collector, forbid_dtd=True)
    try:
        while chunk := file.read(CHUNK):
            parser.feed(chunk)
            if collector.wrong_root is not None:
                raise DumpError(f"{path}: this is <{collector.wrong_root}>, not <{table.lower()}>.")
            yield from collector.rows
            collector.rows.clear()
        parser.close()
    except ParseError as error:
        line, column = error.position
        raise DumpError(f"{path}, line {line}, column {column + 1}: broken XML: {ErrorString(error.code)}") from error
    except DefusedXmlException as error:
        line = parser.parser.CurrentLineNumber
        raise DumpError(f"{path}, line {line}: document types and entities are not accepted: {error}") from error
    yield from collector.rows
