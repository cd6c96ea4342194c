"""what is written says who edited and brought it in.

Revision: 0007, after: 0003, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0003"
branch_labels = None
depends_on = None


_EDITORS = """
    update {table} set edited_by = (
        select actor from log
        where log.stream = {table}.{stream} and type = 'guildhall.content.{edited}.v1' order by log.version desc limit 1
    ) where edited_at is not null
"""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Who edited before is in the log; it is looked up only for what was edited, by the index of streams.
    for table, stream, edited in (
        ("thread_list", "thread", "thread-edited"),
        ("reply_list", "reply", "reply-edited"),
        ("comment_list", "comment", "comment-edited"),
    ):
        op.add_column(table, sa.Column("edited_by", sa.UUID(), nullable=True))
        op.execute(_EDITORS.format(table=table, stream=stream, edited=edited))
    # Nullable and without a default: nothing is rewritten, however long the log is.
    for table in ("thread_list", "reply_list", "comment_list", "channel_list", "log"):
        op.add_column(table, sa.Column("imported_by", sa.UUID(), nullable=True))
    op.create_table(
        "import_count",
        sa.Column("caller", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "day", name=op.f("pk_import_count")),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.drop_table("import_count")
    for table in ("log", "channel_list", "comment_list", "reply_list", "thread_list"):
        op.drop_column(table, "imported_by")
    for table in ("comment_list", "reply_list", "thread_list"):
        op.drop_column(table, "edited_by")
