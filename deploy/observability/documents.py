"""What is written from code and rules: the dashboard, and the parts of the run book that repeat them in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.observability.dashboard import dashboard
from deploy.observability.metrics import metrics

FOLDER = Path(__file__).parent
ALERTS = FOLDER / "alerts.yaml"
DASHBOARD = "deploy/observability/dashboard.json"
RUN_BOOK = "docs/operations.md"


def alerts() -> list[Mapping[str, Any]]:
    """The rules, in the order of the file."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def documents(root: Path) -> dict[str, str]:
    """What each file should hold, by its path; the run book's own words are taken as they are."""
    text = (root / RUN_BOOK).read_text()
    for name, part in (("metrics", "\n".join(_metrics())), ("alerts", "\n".join(_alerts()))):
        begin, end = f"<!-- {name}: written by `make observability` -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"{RUN_BOOK} has lost its marks for {name}: {begin.strip()} … {end.strip()}")
        text = f"{before}{begin}\n{part}\n{end}{after}"
    return {DASHBOARD: json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n", RUN_BOOK: text}


def _metrics() -> Iterator[str]:
    yield "| metric | kind | labels | what it tells |"
    yield "|---|---|---|---|"
    for metric in metrics():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |"
    yield ""


def _alerts() -> Iterator[str]:
    for rule in alerts():
        notes, waits = rule["annotations"], f", for {rule['for']}" if "for" in rule else ""
        yield f"### {rule['alert']}"
        yield ""
        yield f"*{rule['labels']['severity']}*{waits}: `{rule['expr']}`"
        yield ""
        yield f"**Means.** {notes['meaning']}"
        yield ""
        yield f"**Do.** {notes['action']}"
        yield ""
