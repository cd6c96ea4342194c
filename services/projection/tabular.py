"""Tables are answered as CSV (RFC 4180) to whoever asks for it, by `?format=csv` or by the `Accept` header."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Annotated, Any, Literal, TypeAlias

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from shared.projections.freshness import Freshness
from shared.web import context
from shared.web.negotiation import quality

Cell: TypeAlias = "str | int | float | None"

_CSV, _JSON = "text/csv", "application/json"


def _wants_csv(
    request: Request,
    format: Annotated[  # noqa: A002 - the name of the query parameter
        Literal["json", "csv"] | None, Query(description="The format of the answer; else `Accept` decides.")
    ] = None,
) -> bool:
    asked = context.of(request)
    if format is not None:
        asked.accept = None  # it was asked for by name
        return format == "csv"
    return asked.accept is not None and quality(_CSV, asked.accept) > quality(_JSON, asked.accept)


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
    }
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8; header=present", headers=headers)


def _harmless(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
