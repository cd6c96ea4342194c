"""Processes of a supervisor that was killed are found by their record and ended before anything new starts."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deploy.local.home import Home
from deploy.local.identity import end, same


def living(home: Home) -> list[dict[str, Any]]:
    """Recorded processes that still run."""
    recorded = home.read("state.json").get("processes", [])
    return [one for one in recorded if one.get("pid") and one.get("identity") and same(one["pid"], one["identity"])]


def clear(home: Home) -> int:
    """End them, services and gateway first; how many there were. Call it only while holding the lock."""
    found = living(home)
    base = ("postgres", "kafka")
    for group in (
        [one for one in found if one["name"] not in base],
        [one for one in found if one["name"] in base],
    ):
        if group:
            with ThreadPoolExecutor(len(group)) as pool:
                list(pool.map(lambda one: end(one["pid"], one["identity"], signal.Signals(one["signal"]), 12), group))
    return len(found)
