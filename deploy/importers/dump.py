"""A Stack Exchange dump is a folder of XML files, read row by row, however it is spelt; or one sentence why not."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from deploy.importers.rows import UNDECODED, Foreign, Row, Table

__all__ = ["NEEDED", "OPTIONAL", "Dump", "DumpError", "Row"]

NEEDED = ("Users", "Posts")  # without Users all would be nobody's for good
OPTIONAL = ("Comments", "Votes", "Badges")
MISSED = {"Comments": "no comments", "Votes": "no votes and no acceptances"}
CHUNK = 64 * 1024
PACKED = (".7z", ".zip", ".rar", ".tar", ".tgz", ".tar.gz", ".bz2", ".xz", ".zst", ".001")
PACKED_MAGIC = (b"7z\xbc\xaf\x27\x1c", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"Rar!")
DEEPEST = 3  # folders below the one that was named
ROOMY, MOST_FOLD = 64 << 20, 100
"""A gzip file of XML is a tenth of it: what is above so many bytes and so often its size was made to fill a disk."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)""")
OF_BYTES = re.compile(
    r"(iso-?8859-?\d+|latin-?\d|windows-\d+|cp\d+|koi8-\w|gb\w+|big5\S*|euc-\w+|shift_?jis|tis-620)", re.I
)
"""Encodings in which the declaration itself can be read, as it was; all else is UTF-8."""


class DumpError(Exception):
    """A folder or file that cannot be read as a dump; the message says where and why."""


@dataclass(frozen=True)
class Dump:
    """The folder of a dump; each table is `<Table>.xml` or `<Table>.xml.gz`, in upper or lower case.

    `remarks` says of a table what is wrong with its file as a whole; those of one that is read come as it is read.
    """

    folder: Path
    files: dict[str, Path]
    remarks: dict[str, str] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path) -> Dump:
        """The dump in a folder, or in the only folder below it that holds one. Raises `DumpError`."""
        try:
            return cls._at(folder)
        except OSError as error:
            raise DumpError(f"{error.filename or folder}: {error.strerror or error}.") from error

    @classmethod
    def _at(cls, folder: Path) -> Dump:
        if not folder.is_dir():
            if folder.name.lower().endswith(PACKED):
                raise DumpError(f"{folder} is packed. Unpack it, and name the folder that holds its files.")
            advice = "Name the folder that holds Users.xml, Posts.xml and the others."
            raise DumpError(f"{folder} is not a folder. {advice}")
        files = _tables_in(folder)
        if not files.keys() & set(NEEDED):
            below = list(_dumps_below(folder, DEEPEST))
            if len(below) > 1:
                names = ", ".join(str(path.relative_to(folder)) for path in below[:5])
                raise DumpError(f"{folder} holds {len(below)} dumps: {names}. Name one of these folders.")
            if below:
                folder, files = below[0], _tables_in(below[0])
        missing = [f"{table}.xml" for table in NEEDED if table not in files]
        if missing:
            packed = sorted(path.name for path in folder.iterdir() if path.name.lower().endswith(PACKED))
            hint = f" Unpack {packed[0]} first." if packed else ""
            raise DumpError(f"{folder} has no {', '.join(missing)} (nor the same with .gz).{hint}")
        dump = cls(folder, files)
        for table, what in MISSED.items():
            if table not in files:
                dump.remarks[table] = f"{table}.xml is not there: {what} come in."
        return dump

    def rows(self, table: str) -> Iterator[Row]:
        """Every row of a table in the file's order, with bounded memory; none when an optional file is missing.

        A file that ends early or is damaged gives what stands before. Raises `DumpError` for one that is another
        table's or no table at all, and for one that declares entities.
        """
        path = self.files.get(table)
        if path is None:
            return
        reader = Table(table)
        try:
            with path.open("rb") as file:
                yield from reader.rows(self._texts(file, table, path))
        except Foreign as error:
            raise DumpError(f"{path}{error}") from error
        except OSError as error:
            raise DumpError(f"{path}: {error.strerror or error}.") from error
        if reader.blank:
            if table in NEEDED:
                raise DumpError(f"{path} is empty. Get the file once more.")
            self.remarks[table] = f"{path.name} is empty: {MISSED.get(table, 'nothing of it')} come in."
        elif not reader.whole:
            self.remarks.setdefault(table, f"{path.name} ends too early: what stands before comes in.")

    def _texts(self, file: BinaryIO, table: str, path: Path) -> Iterator[str]:
        """A file's text; what is no text in its encoding comes as `UNDECODED`."""
        start = file.read(6)
        file.seek(0)
        if start.startswith(PACKED_MAGIC):
            raise DumpError(f"{path} is packed. Unpack it, and put what is in it in its place.")
        plain = file
        if start.startswith(b"\x1f\x8b"):
            plain = cast("BinaryIO", gzip.GzipFile(fileobj=file))
        decoder, unpacked, chunk = None, 0, b""
        try:
            while piece := plain.read1(CHUNK):  # type: ignore[attr-defined]  # as both buffered files have it
                unpacked += len(piece)
                if unpacked > ROOMY + MOST_FOLD * file.tell():
                    raise DumpError(
                        f"{path} unpacks to more than {MOST_FOLD} times its size. Unpack it yourself if you trust it."
                    )
                chunk += piece
                if len(chunk) >= CHUNK:  # a gzip file may have parts of one byte
                    decoder = decoder or codecs.getincrementaldecoder(_encoding_of(chunk))(_INSTEAD)
                    yield decoder.decode(chunk)
                    chunk = b""
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.remarks[table] = f"{path.name} is a damaged gzip file ({error}): what stands before comes in."
        decoder = decoder or codecs.getincrementaldecoder(_encoding_of(chunk))(_INSTEAD)
        yield decoder.decode(chunk, True)


def _tables_in(folder: Path) -> dict[str, Path]:
    """The file of each table that a folder has; of several that are alike, the plain one."""
    found: dict[str, Path] = {}
    by_name = {f"{table.lower()}.xml{packed}": table for packed in ("", ".gz") for table in (*NEEDED, *OPTIONAL)}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix.lower() == ".gz", path.name)):
        table = by_name.get(path.name.lower())
        if table is not None and path.is_file():
            _refuse_outside(path)
            found.setdefault(table, path)
    return found


def _refuse_outside(path: Path) -> None:
    """Raise `DumpError` for a link out of its folder: whoever made the dump would choose what of ours is published."""
    target = path.resolve()
    if not target.is_relative_to(path.parent.resolve()):
        raise DumpError(f"{path} is a link to {target}, outside the dump. Put the file itself there.")


def _dumps_below(folder: Path, depth: int) -> Iterator[Path]:
    """Folders that hold a table that is needed, as deep as that."""
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()):
        if _tables_in(below).keys() & set(NEEDED):
            yield below
        elif depth > 1:
            yield from _dumps_below(below, depth - 1)


def _encoding_of(start: bytes) -> str:
    """By its mark, else by what the declaration says if that can be, else UTF-8."""
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    declared = DECLARED.match(start)
    if declared is not None and OF_BYTES.fullmatch(name := declared[1].decode("ascii")):
        try:
            return codecs.lookup(name).name
        except LookupError:
            pass
    return "utf-8"


def _mark_undecoded(error: UnicodeError) -> tuple[str, int]:
    return UNDECODED, cast("UnicodeDecodeError", error).end


_INSTEAD = "guildhall-undecoded"
codecs.register_error(_INSTEAD, _mark_undecoded)
