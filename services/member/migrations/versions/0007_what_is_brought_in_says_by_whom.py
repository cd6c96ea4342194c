"""what is brought in says by whom.

Revision: 0007, after: 0004, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Nullable and without a default: nothing is rewritten, however long the log is.
    op.add_column("log", sa.Column("imported_by", sa.UUID(), nullable=True))
    op.add_column("roster", sa.Column("imported_by", sa.UUID(), nullable=True))
    op.create_table(
        "import_count",
        sa.Column("caller", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "day", name=op.f("pk_import_count")),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_table("import_count")
    op.drop_column("roster", "imported_by")
    op.drop_column("log", "imported_by")
