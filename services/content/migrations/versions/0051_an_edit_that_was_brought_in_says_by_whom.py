"""an edit that was brought in says by whom.

Revision: 0051, after: 0050, of 2026-11-28.
"""

from __future__ import annotations

from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

_EDITORS = """
    update {table} set edited_by = (
        select {editor} from log
        where log.stream = {table}.{stream} and type = 'guildhall.content.{edited}.v1' order by log.version desc limit 1
    ) where edited_at is not null
"""
_EDITED = (
    ("thread_list", "thread", "thread-edited"),
    ("reply_list", "reply", "reply-edited"),
    ("comment_list", "comment", "comment-edited"),
)


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    for table, stream, edited in _EDITED:
        editor = "coalesce(imported_by, actor)"
        op.execute(_EDITORS.format(table=table, stream=stream, edited=edited, editor=editor))


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for table, stream, edited in _EDITED:
        editor = "case when imported_by is null then actor end"
        op.execute(_EDITORS.format(table=table, stream=stream, edited=edited, editor=editor))
