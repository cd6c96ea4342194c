"""What is wrong with a row concerns that row: it is mended where that is clear, else left out; the others come in."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import pytest

from deploy.importers.rows import BEGINNING, END, ILLEGIBLE, MENDED, SHORTENED, UNDECODED, Odd, Row, Table

GOOD = '<row Id="{}" Body="good" />'


def read(text: str, chunk: int = 1_000) -> list[Row]:
    return list(Table("Posts").rows(text[at : at + chunk] for at in range(0, len(text), chunk)))


def among_others(row: str, *, newline: str = "\n", chunk: int = 1_000) -> list[Row]:
    """All rows of a table in which that one is the third of five."""
    rows = newline.join([*(GOOD.format(n) for n in (1, 2)), row, *(GOOD.format(n) for n in (4, 5))])
    return read(f"<posts>{newline}{rows}{newline}</posts>", chunk)


def third(row: str) -> Row:
    """What becomes of that row; the others are as they were, on lines of their own or not, however they are read."""
    for newline in ("\n", "\r\n  ", ""):
        for chunk in (7, 1_000):
            first, second, odd, *others = among_others(row, newline=newline, chunk=chunk)
            assert [dict(one) for one in (first, second, *others)] == [{"Id": n, "Body": "good"} for n in "1245"]
    return odd


@pytest.mark.parametrize(
    ("body", "text"),
    [
        *(
            (f"a{reference}b", "ab")
            for reference in ("&#x0E;", "&#x1F;", "&#xFFFE;", "&#xFFFF;", "&#14;", "&#0;", "&#x0;")
        ),
        *(
            (f"a{reference}b", "ab")
            for reference in ("&#xD800;", "&#xDFFF;", "&#x110000;", "&#99999999999999999999999;")
        ),
        *((f"a{char}b", "ab") for char in "\x00\x01\x0b\x0e\x1f\ufffe\uffff\ud800"),
        (f"a{UNDECODED}b", "a\ufffdb"),
        ("AT&T & <co>", "AT&T & <co>"),
        ("a <row b", "a <row b"),
        ("a&nbsp;b&eacute;&hellip;", "a\xa0bé…"),
        ("a&unheard;b&", "a&unheard;b&"),
        ("&#x0E;&amp;lt; &lt;&#xA;&#65;", "&lt; <\nA"),
        ("\x0ea\nb\tc", "a b c"),
    ],
)
def test_what_xml_forbids_is_dropped_and_the_row_is_kept(body: str, text: str) -> None:
    row = third(f'<row Id="3" Body="{body}" Title=\'it "is"\' OwnerUserId="5" />')
    assert (dict(row), isinstance(row, Odd) and row.how) == (
        {"Id": "3", "Body": text, "Title": 'it "is"', "OwnerUserId": "5"},
        MENDED,
    )


def test_of_two_equal_attributes_the_first_stands() -> None:
    row = third('<row Id="3" Body="one" Body="two" />')
    assert (dict(row), isinstance(row, Odd) and row.how) == ({"Id": "3", "Body": "one"}, MENDED)


@pytest.mark.parametrize(
    "row",
    [
        '<row Id="3 Body="x" />',
        "<row Id=3 />",
        '<row Id="3" Body="x />',
        '<row Id="3" Body="He said "no" to" />',
        '<row Id="3" Body />',
    ],
)
def test_a_row_that_is_not_clear_is_left_out(row: str) -> None:
    odd = third(row)
    assert (dict(odd), isinstance(odd, Odd) and odd.how) == ({}, ILLEGIBLE)


@pytest.mark.parametrize("row", ['<row Id="3" Body="x"', '<row Id="3" Body="x', '<row Id="3" /', "<row "])
def test_a_row_that_does_not_end_is_left_out_and_ends_with_its_line(row: str) -> None:
    assert [dict(one) for one in among_others(row)] == [
        {"Id": "1", "Body": "good"},
        {"Id": "2", "Body": "good"},
        {},
        {"Id": "4", "Body": "good"},
        {"Id": "5", "Body": "good"},
    ]


@pytest.mark.parametrize(
    "body", ["a > b", "/>", "<!-- -->".replace("<", "&lt;"), "&#x9;&#xA;&#xD;", "&#x10FFFF;", "&#x85;"]
)
def test_what_xml_permits_is_not_odd(body: str) -> None:
    assert not isinstance(third(f'<row Id="3" Body="{body}" />'), Odd)


@pytest.mark.parametrize(
    "row", ['<row Id="3" Body="x"></row>', '<row\n  Id="3"\n  Body="x"\n/>', "<row Id='3' Body='x'/>"]
)
def test_any_way_to_write_a_row_is_read(row: str) -> None:
    assert dict(third(row)) == {"Id": "3", "Body": "x"}


def test_a_last_row_that_was_cut_is_left_out() -> None:
    whole = "<posts>\n" + "\n".join(GOOD.format(n) for n in range(1, 4))
    *read_, last = read(whole[:-8])
    assert ([row["Id"] for row in read_], dict(last)) == (["1", "2"], {})


def test_tables_that_were_joined_are_read_on() -> None:
    table = f"<?xml version='1.0'?>\n<posts>\n{GOOD.format(1)}\n</posts>\n"
    assert [row["Id"] for row in read(table + table)] == ["1", "1"]


@pytest.mark.parametrize("prolog", ["", "<?xml version=<posts>\n", "<p sts>\n", "\x00\x01 posts>\n", "<<posts>>\n"])
def test_rows_are_rows_whatever_stands_before_them(prolog: str) -> None:
    assert [row["Id"] for row in read(f"{prolog}{GOOD.format(1)}\n{GOOD.format(2)}\n</posts>")] == ["1", "2"]


@pytest.mark.parametrize("seed", range(100))
def test_whatever_befalls_a_file_few_rows_are_lost(seed: int) -> None:
    damage, table = random.Random(seed), "<posts>\n" + "\n".join(GOOD.format(n) for n in range(200)) + "\n</posts>"
    text = list(table)
    for _ in range(5):
        text[damage.randrange(9, len(text))] = damage.choice(
            ["", '"', "<", "&", "<row ", "/>", "\0", "<!--", "<![CDATA[", "</posts>"]
        )
    assert len([row for row in read("".join(text)) if row.get("Body", "").startswith("good")]) >= 185


def test_every_row_may_be_odd() -> None:
    rows = read("<posts>" + "".join(f'<row Id="{n}" Body="&#x1;" />\n' for n in range(5_000)) + "</posts>", 64 * 1024)
    assert [row["Id"] for row in rows] == [str(n) for n in range(5_000)]
    assert all(isinstance(row, Odd) for row in rows)


def test_an_enormous_row_is_kept_without_its_middle_and_memory_stays() -> None:
    def texts() -> Iterator[str]:
        yield f'<posts>\n{GOOD.format(1)}\n<row Id="2" Body="'
        for _ in range(1_000):
            yield "x" * 64 * 1024
        yield f'" OwnerUserId="5" />\n{GOOD.format(3)}\n'
        yield "</posts>"

    tracemalloc.start()
    first, enormous, last = Table("Posts").rows(texts())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (first["Id"], enormous["Id"], enormous["OwnerUserId"], last["Id"]) == ("1", "2", "5", "3")
    assert (isinstance(enormous, Odd) and enormous.how, isinstance(last, Odd)) == (SHORTENED, False)
    assert BEGINNING < len(enormous["Body"]) <= BEGINNING + END + 64 * 1024
    assert peak < 30_000_000
