"""quotas of more than lines.

Revision: 0012, after: 0007, of 2026-11-28.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    op.rename_table("import_count", "quota")
    op.alter_column("quota", "lines", new_column_name="used")
    op.add_column("quota", sa.Column("what", sa.Text(), nullable=False, server_default="lines"))
    op.alter_column("quota", "what", server_default=None)
    op.drop_constraint("pk_import_count", "quota")
    op.create_primary_key("pk_quota", "quota", ["what", "caller", "day"])


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    op.execute("delete from quota where what <> 'lines'")
    op.drop_constraint("pk_quota", "quota")
    op.drop_column("quota", "what")
    op.create_primary_key("pk_import_count", "quota", ["caller", "day"])
    op.alter_column("quota", "used", new_column_name="lines")
    op.rename_table("quota", "import_count")
