"""The first tables.

Revision: 0001, after: , of 2026-11-23.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.create_table(
        "directory_community",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=True),
        sa.Column("visibility", sa.Text(), nullable=True),
        sa.Column("admission", sa.Text(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", name=op.f("pk_directory_community")),
        info={"key": ["community"], "add": [], "include": []},
    )
    op.create_table(
        "directory_member",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("member", sa.UUID(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", name=op.f("pk_directory_member")),
        info={"key": ["community", "member"], "add": [], "include": []},
    )
    op.create_table(
        "directory_role",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("member", sa.UUID(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", "role", name=op.f("pk_directory_role")),
        info={"key": ["community", "member", "role"], "add": [], "include": []},
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("holder", sa.UUID(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "log",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("actor", sa.UUID(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("causation", sa.UUID(), nullable=True),
        sa.Column("data", postgresql.BYTEA(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "position", name=op.f("pk_log")),
        sa.UniqueConstraint("stream", "version", name=op.f("uq_log_stream_version")),
    )
    op.create_table(
        "log_partition",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_partition")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "member_ordinal",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("member", sa.UUID(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", name=op.f("pk_member_ordinal")),
        sa.UniqueConstraint("community", "ordinal", name=op.f("uq_member_ordinal_community_ordinal")),
    )
    op.create_table(
        "parked",
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream", sa.UUID(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", postgresql.BYTEA(), nullable=False),
        sa.Column("parked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("view", "source", "partition", "position", name=op.f("pk_parked")),
    )
    op.create_index("ix_parked_stream", "parked", ["view", "stream"], unique=False)
    op.create_table(
        "relay_checkpoint",
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_relay_checkpoint")),
    )
    op.create_table(
        "suggestion_board",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("suggestion", sa.UUID(), nullable=False),
        sa.Column("author", sa.UUID(), nullable=True),
        sa.Column("anonymous", sa.Boolean(), nullable=True),
        sa.Column("text_ref", sa.UUID(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason_ref", sa.UUID(), nullable=True),
        sa.Column("answer_ref", sa.UUID(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("votes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "suggestion", name=op.f("pk_suggestion_board")),
        info={"key": ["community", "suggestion"], "add": ["votes"], "include": []},
    )
    op.create_index(
        "ix_suggestion_board_newest", "suggestion_board", ["community", "submitted_at", "suggestion"], unique=False
    )
    op.create_index(
        "ix_suggestion_board_votes",
        "suggestion_board",
        ["community", "votes", "submitted_at", "suggestion"],
        unique=False,
    )
    op.create_table(
        "suggestion_vote",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("voter", sa.UUID(), nullable=False),
        sa.Column("suggestion", sa.UUID(), nullable=False),
        sa.Column("voted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "voter", "suggestion", name=op.f("pk_suggestion_vote")),
        info={"key": ["community", "voter", "suggestion"], "add": [], "include": []},
    )
    op.create_table(
        "vault",
        sa.Column("community", sa.UUID(), nullable=False),
        sa.Column("ref", sa.UUID(), nullable=False),
        sa.Column("subject", sa.UUID(), nullable=True),
        sa.Column("content", postgresql.BYTEA(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("community", "ref", name=op.f("pk_vault")),
    )
    op.create_index("ix_vault_subject", "vault", ["subject"], unique=False)
    op.create_table(
        "watermark",
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("partition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("kafka_offset", sa.BigInteger(), nullable=True),
        sa.Column("caught_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("view", "source", "partition", name=op.f("pk_watermark")),
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_table("watermark")
    op.drop_index("ix_vault_subject", table_name="vault")
    op.drop_table("vault")
    op.drop_table("suggestion_vote")
    op.drop_index("ix_suggestion_board_votes", table_name="suggestion_board")
    op.drop_index("ix_suggestion_board_newest", table_name="suggestion_board")
    op.drop_table("suggestion_board")
    op.drop_table("relay_checkpoint")
    op.drop_index("ix_parked_stream", table_name="parked")
    op.drop_table("parked")
    op.drop_table("member_ordinal")
    op.drop_table("log_partition")
    op.drop_table("log")
    op.drop_table("lease")
    op.drop_table("directory_role")
    op.drop_table("directory_member")
    op.drop_table("directory_community")
