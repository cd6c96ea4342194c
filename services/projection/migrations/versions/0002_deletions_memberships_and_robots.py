"""deletions, memberships and robots.

Revision: 0002, after: 0001, of 2026-11-28.

The tables that change are made anew, and their views' marks are taken away: projection's worker reads both from the
topics again, and says meanwhile how far it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_READ_ANEW = """
    delete from {table} where view in ('responses', 'responses@next', 'memberships', 'memberships@next')
"""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    _drop()
    _responses(post=True)
    op.create_table(
        "post_parent",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("parent", sa.Uuid(), nullable=False),
        sa.Column("post", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("community", "parent", "post", name=op.f("pk_post_parent")),
        info={"key": ["community", "parent", "post"], "add": ["n"], "include": []},
    )
    op.create_table(
        "post_deletion",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("post", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "post", name=op.f("pk_post_deletion")),
        info={"key": ["community", "post"], "add": [], "include": []},
    )
    op.create_table(
        "membership",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Uuid(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=True),
        sa.Column("here", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", "turn", name=op.f("pk_membership")),
        info={"key": ["community", "member", "turn"], "add": [], "include": []},
    )
    op.create_table(
        "robot",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Uuid(), nullable=False),
        sa.Column("marked", sa.Boolean(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", name=op.f("pk_robot")),
        info={"key": ["community", "member"], "add": [], "include": []},
    )
    op.create_table(
        "membership_change",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("community", name=op.f("pk_membership_change")),
        info={"key": ["community"], "add": ["n"], "include": []},
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for table in ("membership_change", "robot", "post_deletion", "post_parent"):
        op.drop_table(table)
    _drop()
    _responses(post=False)
    op.create_table(
        "membership",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("member", sa.Uuid(), nullable=False),
        sa.Column("here", sa.Boolean(), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("community", "member", name=op.f("pk_membership")),
        info={"key": ["community", "member"], "add": [], "include": []},
    )


def _drop() -> None:
    for table in ("response", "response_withdrawal", "response_change", "membership"):
        op.drop_table(table)
    for table in ("watermark", "parked"):
        op.execute(_READ_ANEW.format(table=table))


def _responses(*, post: bool) -> None:
    """Those of responses; `post` is in the key since this revision."""
    for table, first in (("response", []), ("response_withdrawal", ["withdrawn_slot"])):
        key = ["community", *first, "slot", "receiver", "sender", "kind", *(["post"] if post else [])]
        types: dict[str, sa.types.TypeEngine[Any]] = {"kind": sa.Text()}
        types |= dict.fromkeys(("withdrawn_slot", "slot"), sa.Integer())
        op.create_table(
            table,
            *(sa.Column(name, types.get(name, sa.Uuid()), nullable=False) for name in key),
            sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
            sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
            info={"key": key, "add": ["n"], "include": []},
        )
        if post:
            op.create_index(f"ix_{table}_post", table, ["community", "post"])
    op.create_table(
        "response_change",
        sa.Column("community", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("community", "day", name=op.f("pk_response_change")),
        info={"key": ["community", "day"], "add": ["n"], "include": []},
    )
