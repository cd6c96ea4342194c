"""Which imports were withdrawn: what somebody brought in up to a moment counts in nothing while that stands.

An import is named by who brought it in. When it was brought in is kept by quarter of an hour, as everything is; so a
withdrawal takes whole quarters. It counts for all days, also those before it, as the mark of a robot does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never
from uuid import UUID

import sqlalchemy as sa

from services.projection.days import slot_of
from services.projection.subscriptions import ImportRestored, ImportWithdrawn
from services.projection.tables import metadata
from shared.events.event import Recorded
from shared.projections.read_model import Change, ReadModel, add, drop, put
from shared.projections.read_model_table import read_model_table

HERE = UUID(int=0)
"""Stands in a key for nobody who brought it in: it was done here."""


def origin() -> list[sa.Column[object]]:
    """The columns of a key that say who brought it in, and in which slot; zeros for what was done here."""
    return [
        sa.Column("importer", sa.Uuid, server_default=str(HERE)),
        sa.Column("brought", sa.Integer, server_default="0"),
    ]


def origin_of(record: Recorded) -> tuple[UUID, int]:
    """The values of those columns."""
    return (HERE, 0) if record.imported_by is None else (record.imported_by, slot_of(record.recorded_at))


IMPORT_WITHDRAWAL = read_model_table(
    "import_withdrawal",
    metadata,
    key=[sa.Column("community", sa.Uuid), sa.Column("importer", sa.Uuid)],
    put=[sa.Column("until", sa.Integer)],
)
"""`until` is the last slot of which what was brought in is withdrawn."""
IMPORT_CHANGE = read_model_table("import_change", metadata, key=[sa.Column("community", sa.Uuid)], add=["n"])
"""How often any of this changed: a reader keeps what it made of the facts until this moves."""


def fold(event: ImportWithdrawn | ImportRestored, record: Recorded) -> Iterator[Change]:
    key = (record.community, event.importer_id)
    match event:
        case ImportWithdrawn(until=until):
            yield put(IMPORT_WITHDRAWAL, key, record.version, until=slot_of(until))
        case ImportRestored():
            yield drop(IMPORT_WITHDRAWAL, key, record.version)
        case _:
            assert_never(event)
    yield add(IMPORT_CHANGE, (record.community,), n=1)


IMPORTS = ReadModel("imports", (IMPORT_WITHDRAWAL, IMPORT_CHANGE), fold)


def counted(row: str) -> str:
    """The SQL condition that what is in a row with those columns, of the community $1, is not withdrawn."""
    return f"""not exists (
        select from import_withdrawal as taken_back
        where taken_back.community = $1 and taken_back.importer = {row}.importer and {row}.brought <= taken_back.until
            and not taken_back.gone
    )"""


CHANGES = "select coalesce(sum(n), 0)::bigint from import_change where community = $1"
"""The counter, to be read in the snapshot that the facts are read in."""
