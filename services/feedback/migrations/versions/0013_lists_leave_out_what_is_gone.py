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
    "ix_suggestion_board_votes": ("suggestion_board", ("community", "votes", "submitted_at", "suggestion")),
    "ix_suggestion_board_newest": ("suggestion_board", ("community", "submitted_at", "suggestion")),
}
"""Indexes of lists; what is gone was in them, so a page read over what was taken away."""
NEW = {
    "ix_suggestion_board_state_votes": (
        "suggestion_board",
        ("community", "state", "votes", "submitted_at", "suggestion"),
        "not gone",
    ),
    "ix_suggestion_board_state_newest": (
        "suggestion_board",
        ("community", "state", "submitted_at", "suggestion"),
        "not gone",
    ),
    "ix_suggestion_board_answered": (
        "suggestion_board",
        ("community", "votes", "submitted_at", "suggestion"),
        "not gone and answered_at is not null",
    ),
}


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns), postgresql_where=sa.text("not gone"))
    for name, (table, columns, where) in NEW.items():
        op.create_index(name, table, list(columns), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for name, (table, *_) in NEW.items():
        op.drop_index(name, table)
    for name, (table, columns) in INDEXES.items():
        op.drop_index(name, table)
        op.create_index(name, table, list(columns))
