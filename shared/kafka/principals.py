"""Who signs in to the broker: a principal for each service, one for operators, an example of a partner."""

from __future__ import annotations

from collections.abc import Iterable

ADMIN = "guildhall-admin"
"""May do everything: the broker itself, and who hands out the rights."""
OPERATOR = "guildhall-operator"
PARTNER = "guildhall-partner"


def principal(service: str) -> str:
    return f"guildhall-{service}"


def everybody(services: Iterable[str]) -> list[str]:
    return [ADMIN, OPERATOR, PARTNER, *map(principal, services)]
