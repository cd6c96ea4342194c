"""Words from elsewhere are shown so that they steer no terminal, and at no more than a length."""

from __future__ import annotations

import json

PHRASE, MESSAGE = 300, 2_000
"""Characters of words that stand in a sentence of ours, and of a whole message."""


def printable(text: str, most: int | None = PHRASE) -> str:
    """The text with an escape, as JSON has them, for each character that does not show, cut to `most` characters."""
    cut = text if most is None or len(text) <= most else text[: most - 1] + "…"
    return cut if cut.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in cut)
