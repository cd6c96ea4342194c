"""Reads a small dump of a site called town: its census, and its lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.importers.dump import Dump
from deploy.importers.references import References
from deploy.importers.stackexchange import CHANNELS, PHASES, Census, StackExchange
from tests.importers.dumps import Rows, write_dump

AT = "2020-01-01T08:00:00.000Z"
MIDNIGHT = "2020-01-01T00:00:00.000Z"
CHANNEL = "stackexchange:town:channel:questions"


def read(folder: Path, **tables: Rows) -> tuple[Census, dict[str, list[dict[str, Any]]]]:
    """The census and the commands by kind."""
    with References() as references:
        source = StackExchange(Dump.at(write_dump(folder, **tables)), references, "town")
        census = source.survey(lambda activity, rows, total: None)
        return census, {p.kind: [line.command for line in source.lines(p)] for p in (CHANNELS, *PHASES)}


def reasons(census: Census, table: str) -> dict[str, int]:
    return dict(census.left_out[table])
