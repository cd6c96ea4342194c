"""members may be robots.

Revision: 0004, after: 0003, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Null is nobody's mark, so nothing is rewritten.
    op.add_column("roster", sa.Column("robot", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_column("roster", "robot")
