"""Run by alembic for every service: connection and metadata come from `shared/service/migrate.py`."""

from __future__ import annotations

from typing import Any

from alembic import context

from shared.service.migrate import belongs

config = context.config


def run() -> None:
    attributes: dict[str, Any] = config.attributes
    context.configure(
        connection=attributes["connection"],
        target_metadata=attributes["metadata"],
        include_name=belongs,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
