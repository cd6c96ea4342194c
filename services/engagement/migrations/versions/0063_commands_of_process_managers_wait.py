"""commands of process managers wait for their time.

Revision: 0063, after: 0062, of 2026-12-01.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "outgoing_command",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("target", sa.UUID(), nullable=False),
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("cause", sa.UUID(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("command", postgresql.BYTEA(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_command")),
    )
    op.create_index(
        "ix_outgoing_command_due_at",
        "outgoing_command",
        ["due_at", "number"],
        unique=False,
        postgresql_where=sa.text("dead_at is null"),
    )
    op.create_index(
        "ix_outgoing_command_target",
        "outgoing_command",
        ["target"],
        unique=False,
        postgresql_where=sa.text("dead_at is null"),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_table("outgoing_command")
