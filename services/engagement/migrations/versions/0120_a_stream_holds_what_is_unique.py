"""a stream holds what is unique, such as a name.

Revision: 0120, after: 0130, of 2026-12-01.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0120"
down_revision = "0130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "claim",
        sa.Column("community", UUID(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("stream", UUID(), nullable=False),
        sa.PrimaryKeyConstraint("community", "scope", "key", "stream", name=op.f("pk_claim")),
    )
    op.create_index("ix_claim_stream", "claim", ["stream"])


def downgrade() -> None:
    op.drop_table("claim")
