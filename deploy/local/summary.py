"""What one sees when it is done: the events' way, the years as bars, who matters and why, where to go on."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


def events_table(found: Sequence[Mapping[str, Any]]) -> Table:
    """`found` are measures as dictionaries."""
    table = Table(title="Events", title_justify="left", box=None, pad_edge=False, header_style="dim")
    table.add_column("service")
    columns = ("written", "relayed", "relay_lag", "projected", "projection_lag")
    for name in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for one in found:
        numbers = [one[name] for name in columns]
        table.add_row(one["service"], *("–" if number is None else f"{number:,}" for number in numbers))
    return table


MEMBER_COLUMNS = ("score", "reach", "resonance", "authority", "percentile", "trend")


def members_table(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a member, 80 columns wide; scores are in points."""
    lines = [f" #  {'member':8}  " + "".join(f"{name:>11}" for name in MEMBER_COLUMNS)]
    for item in items:
        cells = "".join(f"{_number(item[name]):>11}" for name in MEMBER_COLUMNS)
        lines.append(f"{item['rank']:>2}  {item['member_id'][:8]}  {cells}")
    return lines


def _number(value: float) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}"


_PARTS = {
    "reach": "members responded within a year",
    "resonance": "rows of responses, fading with age",
    "authority": "shares of those who responded, and a base",
}


def explained(found: Mapping[str, Any], largest: int = 3) -> list[str]:
    """An explanation as lines: its parts, its largest contributions, and whether they add up."""
    items = found["items"]
    lines = []
    for part, what in _PARTS.items():
        own = [item["thousandths"] for item in items if item["part"] == part]
        lines.append(f"{sum(own) / 1000:>12,.3f}  {part}: {len(own)} {what}")
    lines.append("  of these the largest")
    for item in sorted(items, key=lambda one: one["thousandths"], reverse=True)[:largest]:
        sender = f" from {item['from'][:8]}" if item.get("from") else ""
        kind = f", {item['kind']} × {item['count']}" if item.get("kind") else ""
        lines.append(f"{item['thousandths'] / 1000:>12,.3f}  {item['part']}{sender}{kind}, {item.get('day') or '–'}")
    total = sum(item["thousandths"] for item in items)
    exact = "exactly the score" if total == found["score_thousandths"] else "NOT the score"
    lines.append(f"{total / 1000:>12,.3f}  all {len(items)} contributions together: {exact}")
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
    console.print(events_table([one.as_dict() for one in measures.ask(system.ports)]))
    try:
        items = _activity(system.origin, token)["items"]
        console.print("\n[dim]Active members a month[/dim]\n        [dim]JFMAMJJASOND[/dim]")
        for row in chart((item["day"], item["active"]["month"]) for item in items):
            console.print(f"  {row}", highlight=False)
        top = get(system.origin, "metrics/influence", token, as_of=LAST_DAY, limit="10")["items"]
        console.print(f"\n[dim]Most influential on {LAST_DAY}[/dim]")
        for line in members_table(top):
            console.print(line, highlight=False, soft_wrap=True)
        if top:
            first = top[0]["member_id"]
            found = get(system.origin, f"metrics/influence/{first}/explain", token, as_of=LAST_DAY)
            console.print(f"\n[dim]Why {first} has {_number(top[0]['score'])}[/dim]")
            for line in explained(found):
                console.print(line, highlight=False, soft_wrap=True)
    except (OSError, KeyError, ValueError, TypeError) as error:
        console.print(f"[yellow]Part of the summary is missing: {escape(str(error))}[/yellow]")
    addresses(console, system.origin, token)
