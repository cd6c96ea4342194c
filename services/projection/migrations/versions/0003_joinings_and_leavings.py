"""joinings and leavings.

Revision: 0003, after: 0002, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "directory_turn",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("member", sa.UUID(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("joined", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", "turn", name=op.f("pk_directory_turn")),
        info={"key": ["community", "member", "turn"], "add": [], "include": []},
    )
    # The directory reads the member events from the first again: what it has put already it puts to no effect.
    op.execute("delete from watermark where view = 'directory'")


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_table("directory_turn")
