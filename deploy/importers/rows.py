"""The rows of one table out of its text: many at a time as XML, one by one where that fails, leniently where one does.

Row after row is independent: what is wrong with one concerns that one. A document type is passed over and never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html.entities import html5
from xml.parsers.expat import ExpatError, ParserCreate

Row = Mapping[str, str]
"""The attributes of one `<row …/>`."""

ILLEGIBLE = "no row that can be read"
MENDED = "with something that XML forbids: mended and kept"
SHORTENED = "of millions of characters: kept, without their middle"

TABLES = frozenset(("badges", "comments", "posthistory", "postlinks", "posts", "tags", "users", "votes"))
UNDECODED = "\udfff"
"""Stands for bytes that are no text; no decoder gives it."""
BEGINNING, END = 1_536 * 1024, 512 * 1024
"""What is kept of a row that is longer than both together: its long text is cut far below that anyway."""
PROLOG = 1024 * 1024
MOST_SAID = 40
"""Characters of a foreign name that are told."""

_START = re.compile(r"(?:^|[>\r\n])[ \t]*(<row(?=[\s/>]))")
_BEFORE, _AFTER = frozenset(">\r\n"), frozenset(" \t\r\n/>")
_UNREAD = re.compile(  # each runs to the end of the text where it has none, so that nothing is looked at twice
    r"<\?.*?(?:\?>|\Z)|<!--.*?(?:-->|\Z)|<!DOCTYPE[^\[>]*(?:\[.*?(?:\]\s*>|\Z)|>|\Z)", re.DOTALL | re.IGNORECASE
)
_ENTITY = re.compile(r"<!ENTITY", re.IGNORECASE)
_ROOT = re.compile(r"<([^\W\d][\w:.-]*)")
_ATTRIBUTE = re.compile(r"""\s*([^\W\d][\w:.-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_CLOSE = re.compile(r"\s*/?>")
_REFERENCE = re.compile(r"&(?:#([0-9]+)|#[xX]([0-9a-fA-F]+)|(\w+));")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Foreign(Exception):
    """The text is not that table's; the message says what it is instead."""


class Odd(dict[str, str]):
    """A row that was not as it should be, and `how`. It is empty where nothing could be made of it."""

    def __init__(self, attributes: Row, how: str) -> None:
        super().__init__(attributes)
        self.how = how


class Table:
    """Reads the rows of one table, in its order and in bounded memory.

    Afterwards `blank` says that there was nothing at all, and `whole` that the end of the table was there.
    """

    def __init__(self, name: str) -> None:
        self._root = name.lower()
        self.blank = self.whole = False

    def rows(self, texts: Iterator[str]) -> Iterator[Row]:
        """Raises `Foreign` when the text begins as something else."""
        prolog, rest = _until_first_row(texts)
        self._check(prolog, has_rows=bool(rest))
        shortened, searched = False, 0
        for text in texts:
            rest += text
            cut = _last_start(rest, searched)
            if cut:
                yield from _rows_of(rest[:cut], shortened=shortened)
                rest, shortened = rest[cut:], False
            elif len(rest) > BEGINNING + END:
                rest, shortened = rest[:BEGINNING] + rest[-END:], True
            searched = max(0, len(rest) - 80)  # a start may lie across the seam
        rows, end, _ = rest.rpartition(f"</{self._root}")
        self.whole = self.whole or bool(end)
        if rest:
            yield from _rows_of(rows if end else rest, shortened=shortened)

    def _check(self, prolog: str, *, has_rows: bool) -> None:
        if (entity := _ENTITY.search(prolog)) is not None:
            line = prolog.count("\n", 0, entity.start()) + 1
            raise Foreign(f", line {line}: it declares entities, which are not accepted. Take its document type out.")
        said = _UNREAD.sub(lambda found: "" if found[0].endswith(">") else found[0], prolog).strip("\ufeff \t\r\n")
        found = _ROOT.match(said)
        if found is not None and found[1].lower() == self._root:
            self.whole = not has_rows and (f"</{found[1]}" in said or said.endswith("/>"))
            self._root = found[1]
        elif found is not None and (not has_rows or found[1].lower() in TABLES):
            raise Foreign(f": this is <{found[1][:MOST_SAID]}>, not <{self._root}>. Put the right file there.")
        elif said and not has_rows:
            raise Foreign(f": this is no XML with <{self._root}>. Get the file once more, or unpack it.")
        else:
            self.blank = not has_rows  # rows are rows, whatever stands before them


def _until_first_row(texts: Iterator[str]) -> tuple[str, str]:
    """What stands before the first row, and the text from there on as far as it has been read."""
    text = ""
    for more in texts:
        text += more
        if found := _START.search(text):
            return text[: found.start(1)], text[found.start(1) :]
        if len(text) > PROLOG:
            break
    return text, ""


def _last_start(text: str, searched: int) -> int:
    """Where the last row begins; 0 when that is the first one. `<row` inside a text is none."""
    at = text.rfind("<row", max(1, searched))
    while at > 0 and not (text[at + 4 : at + 5] in _AFTER and text[max(0, at - 70) : at].rstrip(" \t")[-1:] in _BEFORE):
        at = text.rfind("<row", max(1, searched), at)
    return max(at, 0)


def _rows_of(text: str, *, shortened: bool) -> Iterable[Row]:
    """The rows of a text that begins with one; the first is the one that was `shortened`."""
    if not shortened:
        try:
            return _parsed(text)
        except (ExpatError, UnicodeEncodeError):
            pass
    return _one_by_one(text, shortened=shortened)


def _one_by_one(text: str, *, shortened: bool) -> Iterator[Row]:
    starts = [found.start(1) for found in _START.finditer(text)]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True)):
        piece = text[start:end]
        try:
            rows = _parsed(piece)
        except (ExpatError, UnicodeEncodeError):
            rows = [_mended(piece)]
        yield from (Odd(row, SHORTENED) if row and shortened and number == 0 else row for row in rows)


def _parsed(text: str) -> list[Row]:
    """The rows of a text without a prolog, so that no entity can be declared. Raises what expat and UTF-8 raise."""
    rows: list[Row] = []
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        if depth == 1 and tag == "row":
            rows.append(attributes)
        depth += 1

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1

    parser = ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(f"<rows>{text}</rows>", True)
    return rows


def _mended(piece: str) -> Row:
    """A row by its quotes: bare signs stay, the first of two equal names stands, what no text may hold is dropped."""
    at, attributes = len("<row"), dict[str, str]()
    while found := _ATTRIBUTE.match(piece, at):
        name, double, single = found.groups()
        attributes.setdefault(name, _value(single if double is None else double))
        at = found.end()
    return Odd(attributes, MENDED) if _CLOSE.match(piece, at) else Odd({}, ILLEGIBLE)


def _value(raw: str) -> str:
    text = _REFERENCE.sub(_referred, re.sub(r"[\t\r\n]", " ", raw))
    return _FORBIDDEN.sub("", text.replace(UNDECODED, "\ufffd"))


def _referred(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        return html5.get(f"{name};", found[0])
    number = int(decimal or hexadecimal, 10 if decimal else 16) if len(found[0]) < 20 else 0
    # Half a surrogate pair must not be taken for bytes that are no text.
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else ""
