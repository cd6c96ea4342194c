"""lists leave out what is gone.

Revision: 0013, after: 0012, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_reaction_list_target": ("reaction_list", ("community", "target", "reacted_at", "reaction")),
    "ix_reaction_list_actor": ("reaction_list", ("community", "target", "actor")),
}
"""Indexes of lists; what is gone was in them, so a page read over what was taken away."""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns), postgresql_where=sa.text("not gone"))


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns))
