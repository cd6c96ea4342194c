"""The content service's database: the kernel's tables, and one module of `read_models` for each list of its own."""

from __future__ import annotations

from shared.tables import service_metadata

metadata = service_metadata(facts=True)
