"""what requests with an idempotency key came to is kept.

Revision: 0062, after: 0061, of 2026-11-29.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BYTEA, UUID

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "idempotency_key",
        sa.Column("id", UUID(), nullable=False),
        sa.Column("fingerprint", BYTEA(), nullable=False),
        sa.Column("versions", BYTEA(), nullable=True),
        sa.Column("answer", BYTEA(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_key")),
    )
    op.create_index(op.f("ix_idempotency_key_expires_at"), "idempotency_key", ["expires_at"])


def downgrade() -> None:
    op.drop_table("idempotency_key")
