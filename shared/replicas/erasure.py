"""Whose words were erased: each service with a vault keeps a tombstone of them, fed by the member service's events.

The vault's trigger refuses every row about who has a tombstone, whoever writes it and however late. The worker empties
what is there about them (`PostgresVault.erase_marked`), again and again: so what slipped in while the tombstone was
written goes as well, and a database restored from an older backup erases once more when it has read on.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.projections.read_model_table import read_model_table

TOMBSTONES = "erased"
REFUSING = (
    """
create or replace function refuse_words_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where community = new.community and member = new.subject and not gone) then
        raise exception using errcode = 'GHE01', message = 'These words are about somebody who was erased.';
    end if;
    return new;
end $$
""",
    """
create or replace trigger erased before insert on vault for each row
when (new.subject is not null and new.content <> '{}') execute function refuse_words_of_erased()
""",
)
"""A trigger, and not a condition of the append: it looks at the moment of the insert, after the wait for the
partition's lock, where the append's own statement sees what was so before. An empty profile has no words.
"""


def tombstones(metadata: sa.MetaData) -> sa.Table | None:
    """The tombstones' table in a service's metadata, with the trigger on its vault; None where there is no vault."""
    vault = metadata.tables.get("vault")
    if vault is None:
        return None
    erased = read_model_table(
        TOMBSTONES,
        metadata,
        key=[sa.Column("community", PG_UUID, nullable=False), sa.Column("member", PG_UUID, nullable=False)],
        put=[sa.Column("at", sa.DateTime(timezone=True))],
    )
    erased.add_is_dependent_on(vault)
    for statement in REFUSING:
        sa.event.listen(erased, "after_create", sa.DDL(statement))  # type: ignore[no-untyped-call]
    return erased
