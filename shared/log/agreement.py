"""Whether the log holds what its topic holds, as noted beside its partitions: until that is known it takes nothing."""

from __future__ import annotations

DATABASE = "extract(epoch from pg_postmaster_start_time())::text || '/' || 'log'::regclass::oid::text"
"""Tells this log from the one it was before a restart, a failover or a restore, by each of which it may have gone
back: the server's start and the table. What was found of a log holds until one of them is another.
"""

AGREE = f"update log_partition set agreed = {DATABASE} where agreed is distinct from {DATABASE}"  # noqa: S608
DISAGREE = "update log_partition set agreed = null where agreed is not null"
