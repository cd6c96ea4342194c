"""`content/3/1045`: a place in a log as callers see it, in `Guildhall-Position` and `Guildhall-After`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from shared.errors import BadRequest

_ONE = re.compile(r"([a-z][a-z0-9-]{0,62})/(\d{1,5})/(\d{1,19})", re.ASCII)
_MOST = 2**63 - 1
_LONGEST = 4_000

Positions = Mapping[tuple[str, int], int]
"""By source and partition."""


def format_positions(positions: Positions) -> str:
    """The header's value: several are separated by commas."""
    return ", ".join(f"{source}/{partition}/{position}" for (source, partition), position in sorted(positions.items()))


def parse_positions(values: Iterable[str], *, header: str, partitions: int) -> dict[tuple[str, int], int]:
    """The positions that these headers name, the highest of each partition.

    Raises `BadRequest` naming the header for anything that `format_positions` does not write.
    """
    positions: dict[tuple[str, int], int] = {}
    for value in values:
        for part in value[:_LONGEST].split(","):
            found = _ONE.fullmatch(part.strip())
            if found is None or len(value) > _LONGEST or int(found[2]) >= partitions or int(found[3]) > _MOST:
                raise BadRequest(
                    f"`{header}` is made of positions as this API gave them, such as `content/3/1045`.", header=header
                )
            place = (found[1], int(found[2]))
            positions[place] = max(int(found[3]), positions.get(place, 0))
    return positions
