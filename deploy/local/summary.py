"""What one sees when it is done: the events' way, the years as bars, who matters and why, where to go on."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.local import measures
from deploy.local.demo import COMMUNITY, LAST_DAY, SPAN
from deploy.local.service import DIRECT, SERVICES
from deploy.local.system import System

BLOCKS = " ▁▂▃▄▅▆▇█"


def get(origin: str, path: str, token: str, **query: str) -> dict[str, Any]:
    """One answer of the public API; raises OSError when there is none."""
    address = f"{origin}/v1/communities/{COMMUNITY}/{path}?{urllib.parse.urlencode(query)}"
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  own origin
    with DIRECT.open(asked, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def _activity(origin: str, token: str) -> dict[str, Any]:
    return get(origin, "metrics/activity", token, **{"from": SPAN[0], "to": SPAN[1], "step": "month"})


def fresh(origin: str, token: str) -> bool:
    """The public API itself says that nothing is missing."""
    try:
        return bool(_activity(origin, token)["freshness"]["lag_events"] == 0)
    except (OSError, KeyError, ValueError):
        return False


def chart(months: Iterable[tuple[str, int]]) -> list[str]:
    """One row a year, one block character a month, on one scale; `months` is (`YYYY-MM…`, count)."""
    years: dict[str, dict[int, int]] = defaultdict(dict)
    for day, count in months:
        years[day[:4]][int(day[5:7])] = count
    top = max((count for year in years.values() for count in year.values()), default=0)
    rows = []
    for year, counts in sorted(years.items()):
        bars = "".join(_block(counts[month], top) if month in counts else " " for month in range(1, 13))
        rows.append(f"{year}  {bars}  {max(counts.values()):>4} at most")
    return rows


def _block(count: int, top: int) -> str:
    if count <= 0 or top <= 0:
        return BLOCKS[0]
    return BLOCKS[max(1, round(count / top * (len(BLOCKS) - 1)))]


def events_table(found: list[measures.Measure]) -> Table:
    table = Table(title="Events", title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("service")
    for name in ("written", "relayed", "relay lag", "projected", "view lag"):
        table.add_column(name, justify="right")
    for one in found:
        numbers = (one.written, one.relayed, one.relay_lag, one.folded, one.view_lag)
        table.add_row(one.service, *("–" if number is None else f"{number:,}" for number in numbers))
    return table


def members_table(items: list[Mapping[str, Any]]) -> Table:
    title = f"Most influential on {LAST_DAY}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    columns = ("rank", "member_id", "score", "reach", "resonance", "authority", "percentile", "trend")
    for name in columns:
        table.add_column(name, justify="left" if name == "member_id" else "right", no_wrap=True)
    for item in items:
        table.add_row(*(_cell(item.get(name)) for name in columns))
    return table


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    return "–" if value is None else escape(str(value))


def explained(found: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """An explanation as indented lines; lists are cut after three, they go on in the API."""
    lines: list[str] = []
    for key, value in found.items():
        if key in ("freshness", "member_id"):
            continue
        if isinstance(value, Mapping):
            lines += [f"{indent}{key}", *explained(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}: {len(value)}")
            for item in value[:3]:
                shown = ", ".join(f"{k} {_cell(v)}" for k, v in item.items()) if isinstance(item, Mapping) else item
                lines.append(f"{indent}  {shown}")
        else:
            lines.append(f"{indent}{key}: {_cell(value)}")
    return lines


def addresses(console: Console, origin: str, token: str | None = None) -> None:
    console.print(f"\n[bold]Everything is at {origin}[/bold]")
    for name in SERVICES:
        console.print(f"  {origin}/docs/{name}", soft_wrap=True)
    bearer = token or "$(guildhall token)"
    path = f"/v1/communities/{COMMUNITY}/metrics/influence?as_of={LAST_DAY}&limit=10"
    console.print(
        f"\ncurl -H 'Authorization: Bearer {bearer}' '{origin}{path}'"
        if token
        else f'\ncurl -H "Authorization: Bearer {bearer}" "{origin}{path}"',
        soft_wrap=True,
        highlight=False,
    )


def show(console: Console, system: System, token: str) -> None:
    """The summary; a number that cannot be had is said to be missing and stops nothing."""
    console.print()
    console.print(events_table(measures.ask(system.ports)))
    try:
        items = _activity(system.origin, token)["items"]
        console.print("\n[dim]Active members per month[/dim]\n        [dim]JFMAMJJASOND[/dim]")
        for row in chart((item["day"], item["active"]["month"]) for item in items):
            console.print(f"  {row}", highlight=False)
        top = get(system.origin, "metrics/influence", token, as_of=LAST_DAY, limit="10")["items"]
        console.print()
        console.print(members_table(top))
        if top:
            first = top[0]["member_id"]
            found = get(system.origin, f"metrics/influence/{first}/explain", token, as_of=LAST_DAY)
            console.print(f"\n[dim]Why the first has {_cell(top[0].get('score'))}[/dim]")
            for line in explained(found):
                console.print(line, highlight=False, soft_wrap=True)
    except (OSError, KeyError, ValueError, TypeError) as error:
        console.print(f"[yellow]Part of the summary is missing: {escape(str(error))}[/yellow]")
    addresses(console, system.origin, token)
