"""lists leave out what is gone.

Revision: 0013, after: 0012, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_thread_list_newest": ("thread_list", ("community", "opened_at", "thread")),
    "ix_thread_list_channel": ("thread_list", ("community", "channel", "opened_at", "thread")),
    "ix_thread_list_author": ("thread_list", ("community", "author", "opened_at", "thread")),
    "ix_thread_activity_at": ("thread_activity", ("community", "at", "thread")),
    "ix_reply_list_thread": ("reply_list", ("community", "thread", "posted_at", "reply")),
    "ix_comment_list_target": ("comment_list", ("community", "target", "posted_at", "comment")),
}
"""Indexes of lists; what is gone was in them, so a page read over what was taken away."""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns), postgresql_where=sa.text("not gone"))
    # As the fold says it of every deletion from now on.
    op.execute(
        "update thread_activity a set at = null, gone = true, version = 9223372036854775807 from thread_list t "
        "where t.community = a.community and t.thread = a.thread and t.gone"
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns))
