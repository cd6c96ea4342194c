"""events carry a trace.

Revision: 0002, after: 0001, of 2026-11-25.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Nullable and without a default: nothing is rewritten, however long the log is.
    op.add_column("log", sa.Column("traceparent", sa.Text(), nullable=True))


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_column("log", "traceparent")
