"""What attributes mean, and what is cut of them so that it fits."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from deploy.importers import values
from deploy.importers.values import body_of, fitting_tags, moment, number, rfc3339, tags_of, title_of
from shared.web.backfill.exchange import LONGEST_LINE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2020-01-01T08:00:00.000", "2020-01-01T08:00:00.000Z"),
        ("2020-01-01T08:00:00", "2020-01-01T08:00:00.000Z"),
        ("2020-01-01T08:00:00.123456", "2020-01-01T08:00:00.123456Z"),
        ("2020-01-01T08:00:00Z", "2020-01-01T08:00:00.000Z"),
        ("2020-01-01T08:00:00.5+02:00", "2020-01-01T06:00:00.500Z"),
        ("2020-02-29T00:00:00", "2020-02-29T00:00:00.000Z"),
        ("0001-01-01T00:00:00.000", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_dates_are_in_utc_unless_they_say_otherwise(text: str, shown: str) -> None:
    at = moment(text)
    assert at is not None
    assert rfc3339(at) == shown


@pytest.mark.parametrize(
    "text",
    [None, "", "yesterday", "2019-02-29T00:00:00", "2016-12-31T23:59:60", "0000-00-00", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(("text", "id_"), [("7", 7), ("-1", -1), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_ids_are_numbers(text: str, id_: int) -> None:
    assert number(text) == id_


@pytest.mark.parametrize(
    "text", [None, "", "x", "7.0", " 7", "7\n", "٧", "1e3", "--1", "9" * 19, "9223372036854775808"]
)
def test_what_is_no_id_is_none(text: str | None) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("How?", "How?"),
        ("  two\n words\t", "two words"),
        ("cafe\u0301", "café"),
        ("x" * 300, "x" * 300),
        ("", None),
        (None, None),
        (" \u200b\u3164", None),
        ("\u0301", None),
        ("中", "中"),
        ("🙂", "🙂"),
    ],
)
def test_a_title_is_a_line_that_shows_something(text: str | None, title: str | None) -> None:
    assert title_of(text) == (title, ())


def test_a_title_is_cut_at_300_characters() -> None:
    assert title_of("x" * 301) == ("x" * 299 + "…", (values.LONG_TITLE,))


@pytest.mark.parametrize("text", ["    code\n", "<p>x</p>", "中", "x" * 150_000])
def test_a_body_stays_as_it_stands(text: str) -> None:
    assert body_of(text) == (text, ())


@pytest.mark.parametrize("text", [None, "", " \n", "\u200b\ufeff", "\u2800"])
def test_a_body_that_shows_nothing_is_none(text: str | None) -> None:
    assert body_of(text) == (None, ())


def test_a_body_is_cut_at_150_000_characters() -> None:
    assert body_of("x" * 150_001) == ("x" * 150_000, (values.LONG_BODY,))


@pytest.mark.parametrize("char", ["中", "🙂", '"', "\\", "\n中", "\x7f中🙂", "\x85"])
def test_with_the_longest_of_everything_a_line_still_fits(char: str) -> None:
    (title, _), (body, _) = title_of(char * 300 + "x"), body_of(char * 400_000 + "x")
    tags, _ = fitting_tags("".join(f"<{n:03}{'🙂' * 97}>" for n in range(99)))
    assert len(msgspec.json.encode({"title": title, "body": body, "tags": tags})) < LONGEST_LINE - 2_000
    assert body is not None
    assert len(body) > 50_000


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("<a><b-c>", ["a", "b-c"]),
        ("|a|b-c|", ["a", "b-c"]),
        ("", []),
        ("<a><a>", ["a"]),
        ("<.net>", [".net"]),
        ("|Q&A|help|", ["Q&A", "help"]),
    ],
)
def test_tags_are_read_in_both_forms(text: str, tags: Iterable[str]) -> None:
    assert tags_of(text) == tags


def test_tags_that_no_line_can_hold_are_left_out_and_it_is_noted() -> None:
    assert fitting_tags(f"|a|{'x' * 101}|b|") == (["a", "b"], (values.MANY_TAGS,))
    tags, notes = fitting_tags("".join(f"<t{n}>" for n in range(51)))
    assert (len(tags), notes) == (50, (values.MANY_TAGS,))
