"""a suggestion says who edited it, and how many voted for it here.

Revision: 0051, after: 0050, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

_EDITORS = """
    update suggestion_board set edited_at = edit.occurred_at, edited_by = coalesce(edit.imported_by, edit.actor)
    from (
        select distinct on (stream) stream, occurred_at, imported_by, actor from log
        where type = 'guildhall.feedback.suggestion-edited.v1' order by stream, version desc
    ) as edit where edit.stream = suggestion_board.suggestion
"""
_ELSEWHERE = """
    update suggestion_board set edited_at = first.edited_at
    from (
        select stream, (convert_from(data, 'utf8')::jsonb ->> 'edited_at')::timestamptz as edited_at from log
        where type = 'guildhall.feedback.suggestion-submitted.v1'
    ) as first where first.stream = suggestion_board.suggestion and first.edited_at is not null
"""
_VOTES = """
    update suggestion_board set votes_here = given.votes
    from (
        select community, (convert_from(data, 'utf8')::jsonb ->> 'suggestion_id')::uuid as suggestion, count(*) as votes
        from log where type = 'guildhall.feedback.suggestion-voted.v1' and imported_by is null group by 1, 2
    ) as given where given.community = suggestion_board.community and given.suggestion = suggestion_board.suggestion
"""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.add_column("suggestion_board", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("suggestion_board", sa.Column("edited_by", sa.UUID(), nullable=True))
    op.add_column("suggestion_board", sa.Column("votes_here", sa.BigInteger(), server_default="0", nullable=False))
    for statement in (_ELSEWHERE, _EDITORS, _VOTES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for column in ("votes_here", "edited_by", "edited_at"):
        op.drop_column("suggestion_board", column)
