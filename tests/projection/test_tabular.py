from __future__ import annotations

import csv
from io import StringIO

import pytest
from starlette.requests import Request

from services.projection.tabular import _wants_csv, csv_answer
from shared.events.positions import Seal
from shared.projections.freshness import Freshness
from shared.web.context import KEY, RequestContext

SEAL = Seal(b"secret")
FRESH = Freshness(positions={"content": [3]}, complete_until=None, lag_events=0, lag_seconds=0.0).sealed_by(SEAL)


def body(*rows: list[str | int | float | None]) -> str:
    answer = csv_answer("table", ["a", "b"], rows, freshness=FRESH, time_zone="UTC")
    return bytes(answer.body).decode()


def test_lines_end_and_cells_are_quoted_as_rfc_4180_says() -> None:
    assert body(['say "hi"', "x,y"], ["two\nlines", None]) == 'a,b\r\n"say ""hi""","x,y"\r\n"two\nlines",\r\n'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx"])
def test_text_that_a_spreadsheet_would_compute_stays_text(text: str) -> None:
    rows = list(csv.reader(StringIO(body([text, -1.5]), newline="")))
    assert rows[1] == ["'" + text, "-1.5"]


@pytest.mark.parametrize(
    ("asked", "accept", "wanted"),
    [
        (None, None, False),
        (None, "*/*", False),
        (None, "text/csv", True),
        (None, "text/*;q=0.5, application/json", False),
        (None, "application/json;q=0.2, text/csv;q=0.9", True),
        (None, "text/csv;q=0", False),
        (None, "text/csv;q=many", False),
        ("csv", "application/json", True),
        ("json", "text/csv", False),
    ],
)
def test_the_query_decides_the_format_and_else_what_is_accepted_most(
    asked: str | None, accept: str | None, wanted: bool
) -> None:
    known = RequestContext("x", 0.0, accept=accept)
    assert _wants_csv(Request({"type": "http", KEY: known}), asked) is wanted  # type: ignore[arg-type]
