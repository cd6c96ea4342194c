"""The tables of projection's database: what it reads off the topics, and no facts of its own."""

from __future__ import annotations

from shared.tables import service_metadata

metadata = service_metadata(facts=False)
