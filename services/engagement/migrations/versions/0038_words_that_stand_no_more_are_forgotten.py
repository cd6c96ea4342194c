"""words that were replaced or deleted are forgotten.

Revision: 0038, after: 0013, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Nullable and without a default: nothing is rewritten, however much was written.
    op.alter_column("vault", "content", nullable=True)
    op.add_column("vault", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("vault", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        op.f("ix_vault_superseded_at"),
        "vault",
        ["superseded_at"],
        postgresql_where=sa.text("superseded_at is not null"),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    # Empty rows only kept words from being written again.
    op.execute("delete from vault where content is null")
    op.drop_index("ix_vault_superseded_at", table_name="vault")
    op.drop_column("vault", "superseded_at")
    op.drop_column("vault", "fingerprint")
    op.alter_column("vault", "content", nullable=False)
