"""The processes and the machine: each service answers and is ready, clocks agree, disks have room."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.operations.check_database import clocks
from deploy.operations.findings import Finding, broken, ok, places, warning

PATIENCE = 3.0
"""Seconds a process gets to answer."""
ROOM = ((10, 5 << 30), (3, 1 << 30))
"""Per cent and bytes that are to be free, both: below the first pair a warning, below the second it is too late."""

# A proxy of the environment is for the world outside, not for our own processes.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def addresses(service_urls: str, services: Sequence[str]) -> dict[str, str]:
    """By service, where it answers; those the setting says nothing of are left out."""
    if "{service}" in service_urls:
        return {name: service_urls.replace("{service}", name).rstrip("/") for name in services}
    pairs = (each.partition("=") for each in service_urls.split(",") if each.strip())
    return {name.strip(): address.strip().rstrip("/") for name, _, address in pairs if name.strip() in services}


def service(name: str, address: str) -> list[Finding]:
    """It lives, it is ready, nothing limps, and its machine's clock agrees with ours."""
    before = time.time()
    status, body = _get(f"{address}/livez")
    if status != 200:
        return [
            broken(
                "service",
                name,
                f"No process answers at {address}: {body.get('error', status)}.",
                f"Start it: guildhall run {name}; if it runs, its event loop is blocked: restart it and keep its log.",
            )
        ]
    found = []
    if "time" in body:
        skew = datetime.fromisoformat(body["time"]).timestamp() - (before + time.time()) / 2
        found.append(clocks("service clock", name, "The service's clock", skew))
    status, body = _get(f"{address}/readyz")
    if status != 200:
        reasons = " ".join(body.get("reasons", [])) or body.get("error", str(status))
        action = "Do what it says" if body.get("reasons") else "Look at its log"
        return [
            broken("service", name, f"It is not ready: {reasons}", f"{action}; it is ready by itself then."),
            *found,
        ]
    if body.get("degraded"):
        return [
            warning(
                "service",
                name,
                f"It answers, and limps: {places(body['degraded'])}",
                f"Look at the other checks, and at `guildhall logs {name}`.",
            ),
            *found,
        ]
    return [ok("service", name, "It answers and is ready."), *found]


def _get(address: str) -> tuple[int, dict[str, Any]]:
    try:
        with _DIRECT.open(address, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.loads(error.read())
        except ValueError:
            return error.code, {}
    except (OSError, ValueError) as error:
        return 0, {"error": str(getattr(error, "reason", None) or error)}


def disk(folder: str) -> Finding:
    """There is room where PostgreSQL or Kafka keeps its data."""
    check = "disk"
    path = Path(folder)
    if not path.is_dir():
        return broken(check, folder, "There is no such folder here.", "Name the folders of the data: --disk DIR")
    usage = shutil.disk_usage(path)
    per_cent = usage.free * 100 / usage.total
    meaning = f"{usage.free / (1 << 30):,.1f} GB are free, {per_cent:.0f} % of the disk."
    action = "Make room or give the volume more; never delete files of PostgreSQL or Kafka by hand."
    for make, (least, size) in ((broken, ROOM[1]), (warning, ROOM[0])):
        if per_cent < least and usage.free < size:
            return make(check, folder, f"{meaning} Without room PostgreSQL stops taking events and Kafka ends.", action)
    return ok(check, folder, meaning)
