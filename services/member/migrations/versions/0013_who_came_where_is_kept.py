"""who came where is kept.

Revision: 0013, after: 0012, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "unlinked_community",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.PrimaryKeyConstraint("community", name=op.f("pk_unlinked_community")),
    )
    # Who has come to these nobody kept; from now on the vault does.
    op.execute("insert into unlinked_community select distinct community from roster")
    op.drop_index("ix_community_list_slug", "community_list")
    op.create_index("ix_community_list_slug", "community_list", ["visibility", "slug"])
    op.create_index("ix_community_list_language", "community_list", ["visibility", "language", "slug"])
    op.create_index(
        "ix_roster_robots",
        "roster",
        ["community", "status", "since", "member"],
        postgresql_where=sa.text("robot"),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_index("ix_roster_robots", "roster")
    op.drop_index("ix_community_list_language", "community_list")
    op.drop_index("ix_community_list_slug", "community_list")
    op.create_index("ix_community_list_slug", "community_list", ["slug"])
    op.drop_table("unlinked_community")
