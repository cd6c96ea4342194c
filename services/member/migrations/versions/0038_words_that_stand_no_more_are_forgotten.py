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
with decoded as (
    select stream, version, community, type, convert_from(data, 'UTF8')::jsonb as d from log
    where type in ('guildhall.member.profile-updated.v1', 'guildhall.member.application-submitted.v1',
                   'guildhall.member.application-withdrawn.v1', 'guildhall.member.application-declined.v1',
                   'guildhall.member.member-joined.v1', 'guildhall.member.member-left.v1',
                   'guildhall.member.member-removed.v1')
), said as (
    select stream, version, community, type,
           coalesce(d #>> '{profile,ref}', d #>> '{answers,ref}', d #>> '{reason,ref}') as ref
    from decoded
), last as (
    select distinct on (stream) stream, type, ref from said order by stream, version desc
), applied as (
    select distinct on (stream) stream, ref from said where type = 'guildhall.member.application-submitted.v1'
    order by stream, version desc
), standing as (
    select stream, ref from last
    union all
    select stream, a.ref from applied a join last l using (stream)
    where l.type = 'guildhall.member.application-declined.v1'
)
update vault v set superseded_at = clock_timestamp() from said s
where v.community = s.community and v.ref = s.ref::uuid
  and not exists (select from standing t where t.stream = s.stream and t.ref = s.ref)
"""
"""What was replaced or taken back before anybody noted it: the last event of a stream has the words that stand, and one
that declines an application leaves standing what was said there.
"""


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
