"""who was erased has a tombstone, which the vault's trigger meets.

Revision: 0130, after: 0063, of 2026-12-01.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0130"
down_revision = "0063"
branch_labels = None
depends_on = None

REFUSE = """
create function refuse_words_of_erased() returns trigger language plpgsql as $$
begin
    if exists (select from erased where community = new.community and member = new.subject and not gone) then
        raise exception using errcode = 'GHE01', message = 'These words are about somebody who was erased.';
    end if;
    return new;
end $$
"""
TRIGGER = """
create trigger erased before insert on vault for each row
when (new.subject is not null and new.content <> '{}') execute function refuse_words_of_erased()
"""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "erased",
        sa.Column("community", UUID(), nullable=False),
        sa.Column("member", UUID(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", name=op.f("pk_erased")),
    )
    op.execute(REFUSE)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger erased on vault")
    op.execute("drop function refuse_words_of_erased()")
    op.drop_table("erased")
