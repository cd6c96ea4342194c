"""What is started without being measured: what ends after the sums are made, or would be several times as slow."""

from __future__ import annotations

import os


def environment() -> dict[str, str]:
    """This process's, in which a Python does not measure what it covers."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
