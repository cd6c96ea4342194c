"""What a caller takes: how much a media type is wanted, by the most specific range of `Accept` that covers it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_Q = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


def quality(media_type: str, accept: str) -> float:
    """How much a caller wants a media type, 0 to 1 (RFC 9110, 12.5.1). A header that names no range takes anything."""
    best, named = (-1, 0.0), False
    covers = {media_type: 2, f"{media_type.partition('/')[0]}/*": 1, "*/*": 0}
    for part in accept.lower().split(","):
        pattern, *parameters = (piece.strip() for piece in part.split(";"))
        named = named or bool(pattern)
        if pattern in covers:
            best = max(best, (covers[pattern], _q(parameters)))
    return best[1] if named else 1.0


def _q(parameters: Sequence[str]) -> float:
    """The weight; 0 for one that is none."""
    for parameter in parameters:
        if parameter.startswith("q="):
            return float(parameter[2:]) if _Q.fullmatch(parameter[2:]) else 0.0
    return 1.0
