"""What runs, since when, how often it had to be started again, and how far everything is."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local import measures, summary
from deploy.local.home import Home
from deploy.local.identity import same


def collect(home: Home) -> dict[str, Any]:
    """Everything `status --json` prints; the processes as they are now, not as they were recorded."""
    state, ports = home.read("state.json"), home.read("ports.json")
    running = home.is_locked()
    processes = []
    for one in state.get("processes", []):
        alive = bool(one.get("pid") and one.get("identity") and same(one["pid"], one["identity"]))
        processes.append(
            {
                "name": one["name"],
                "pid": one["pid"] if alive else None,
                "port": one["port"],
                "up_seconds": round(time.time() - one["since"], 1) if alive else None,
                "restarts": one["restarts"],
                "state": one["state"] if alive else ("stopped" if one["state"] == "stopped" else "gone"),
            }
        )
    return {
        "home": str(home.root),
        "running": running,
        "phase": state.get("phase", "stopped") if running else "stopped",
        "supervisor": home.supervisor() if running else None,
        "origin": f"http://127.0.0.1:{ports['origin']}" if running and "origin" in ports else None,
        "processes": processes,
        "services": [one.as_dict() for one in measures.ask(ports)] if running else [],
    }


def show(console: Console, found: dict[str, Any]) -> None:
    console.print(f"{found['phase']}, state in {found['home']}", soft_wrap=True)
    if not found["running"]:
        left = [one["name"] for one in found["processes"] if one["pid"]]
        if left:
            console.print(f"Left over from a supervisor that was killed: {', '.join(left)}; guildhall down ends them.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("process")
    for name in ("pid", "port", "up", "restarts"):
        table.add_column(name, justify="right")
    table.add_column("state")
    for one in found["processes"]:
        up = "–" if one["up_seconds"] is None else duration(one["up_seconds"])
        table.add_row(one["name"], str(one["pid"] or "–"), str(one["port"]), up, str(one["restarts"]), one["state"])
    console.print(table)
    console.print()
    console.print(summary.events_table(found["services"]))


def duration(seconds: float) -> str:
    """`45s`, `12m 05s`, `3h 20m`, `2d 04h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"
