"""Tables are answered as CSV (RFC 4180) to whoever asks for it, by `?format=csv` or by the `Accept` header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Depends, Header, Query
from fastapi.responses import Response

from shared.views.freshness import Freshness

Cell: TypeAlias = "str | int | float | None"

_CSV, _JSON = "text/csv", "application/json"


def _wants_csv(
    format: Annotated[  # noqa: A002 - the name of the query parameter
        Literal["json", "csv"] | None, Query(description="The format of the answer; else `Accept` decides.")
    ] = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> bool:
    if format is not None:
        return format == "csv"
    return accept is not None and _quality(_CSV, accept) > _quality(_JSON, accept)


WantsCsv = Annotated[bool, Depends(_wants_csv)]

CSV_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {_CSV: {"schema": {"type": "string"}}},
        "headers": {
            "Guildhall-Freshness": {
                "description": "Freshness of a CSV answer, as JSON.",
                "schema": {"type": "string"},
            },
            "Guildhall-Time-Zone": {
                "description": "Time zone of the days in a CSV answer.",
                "schema": {"type": "string"},
            },
        },
    }
}
"""What a route that answers tables says of it in OpenAPI."""


def csv_answer(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, freshness: Freshness, time_zone: str
) -> Response:
    """The table as a file of that name, with what JSON has beside the rows in headers."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.csv"',
        "Guildhall-Freshness": freshness.model_dump_json(),
        "Guildhall-Time-Zone": time_zone,
        "Vary": "Accept",
    }
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8; header=present", headers=headers)


def _harmless(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _quality(media_type: str, accept: str) -> float:
    """How much a client wants a media type, 0 to 1: the q of the most specific range that covers it (RFC 9110)."""
    best = (-1, 0.0)
    for part in accept.lower().split(","):
        pattern, *parameters = (piece.strip() for piece in part.split(";"))
        covers = {media_type: 2, f"{media_type.split('/')[0]}/*": 1, "*/*": 0}
        if pattern in covers:
            best = max(best, (covers[pattern], _q(parameters)))
    return best[1]


def _q(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
