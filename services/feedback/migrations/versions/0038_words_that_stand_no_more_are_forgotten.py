"""words that were replaced or deleted are forgotten.

Revision: 0038, after: 0013, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0013"
branch_labels = None
depends_on = None

LEFT_BEHIND = """
with said as (
    select stream, version, community, type, d #>> '{text,ref}' as ref,
           case when type in ('guildhall.feedback.suggestion-submitted.v1', 'guildhall.feedback.suggestion-edited.v1')
                then 'text' else 'answer' end as what
    from log, lateral (select convert_from(data, 'UTF8')::jsonb) as decoded(d)
    where type in ('guildhall.feedback.suggestion-submitted.v1', 'guildhall.feedback.suggestion-edited.v1',
                   'guildhall.feedback.suggestion-answered.v1')
    union all
    select stream, version, community, type, convert_from(data, 'UTF8')::jsonb #>> '{reason,ref}', 'reason' from log
    where type in ('guildhall.feedback.suggestion-planned.v1', 'guildhall.feedback.suggestion-completed.v1',
                   'guildhall.feedback.suggestion-declined.v1')
), standing as (
    select distinct on (stream, what) stream, ref from said
    where stream not in (select stream from log where type = 'guildhall.feedback.suggestion-deleted.v1')
    order by stream, what, version desc
)
update vault v set superseded_at = clock_timestamp() from said s
where v.community = s.community and v.ref = s.ref::uuid
  and not exists (select from standing t where t.stream = s.stream and t.ref = s.ref)
"""
"""What was replaced or deleted before anybody noted it."""


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    # Nullable and without a default: nothing is rewritten, however much was written.
    op.alter_column("vault", "content", nullable=True)
    op.add_column("vault", sa.Column("fingerprint", sa.LargeBinary(), nullable=True))
    op.add_column("vault", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(LEFT_BEHIND)
    op.create_index(
        op.f("ix_vault_superseded_at"),
        "vault",
        ["superseded_at"],
        postgresql_where=sa.text("superseded_at is not null"),
    )


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    # Empty rows only kept words from being written again.
    op.execute("delete from vault where content is null")
    op.drop_index("ix_vault_superseded_at", table_name="vault")
    op.drop_column("vault", "superseded_at")
    op.drop_column("vault", "fingerprint")
    op.alter_column("vault", "content", nullable=False)
