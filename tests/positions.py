"""What sealed positions say, and how they are made; a test knows the installation's secret."""

from __future__ import annotations

from shared.events.positions import Seal
from shared.settings import Settings


def positions_of(token: str, secret: str | None = None) -> dict[tuple[str, int], int]:
    """The positions by source and partition; without a secret, those of settings that nobody changed."""
    return _seal(secret).open([token], header="Guildhall-Position", partitions=1_000)


def token_of(positions: dict[tuple[str, int], int], secret: str | None = None) -> str:
    """A token for positions that nobody was given, as an installation of that secret would make it."""
    return _seal(secret).seal(positions)


def _seal(secret: str | None) -> Seal:
    return Seal((Settings().member_secret.get_secret_value() if secret is None else secret).encode())
