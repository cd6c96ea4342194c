"""a log agrees with its topic.

Revision: 0050, after: 0038, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.add_column("log_partition", sa.Column("agreed", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("log_partition", "agreed")
