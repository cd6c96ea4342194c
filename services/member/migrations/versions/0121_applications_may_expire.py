"""communities say after how many days applications expire.

Revision: 0121, after: 0120, of 2026-12-01.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0121"
down_revision = "0120"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.add_column("community_list", sa.Column("application_days", sa.Integer(), nullable=True))
    op.execute("update community_list set application_days = 0 where version > -9223372036854775808")


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_column("community_list", "application_days")
