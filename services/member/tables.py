"""The member service's database: the kernel's tables, and one module of `read_models` for each table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from shared.tables import service_metadata

metadata = service_metadata(facts=True)

unlinked_community = sa.Table("unlinked_community", metadata, sa.Column("community", UUID, primary_key=True))
"""Communities to which people came before the vault kept who did; the migration fills it, and nothing else does."""
