"""The Grafana dashboard, as Python: a row a subject, a panel a question, its query in the words of the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 8, 8
"""Of a panel, in Grafana's grid of 24 columns."""
SERVICE = 'service=~"$service"'
REQUESTS = f'guildhall_request_seconds_bucket{{{SERVICE},operation!~"/.*"}}'

CONNECTIONS = f'guildhall_database_connections{{{SERVICE},state="in_use"}}'


@dataclass(frozen=True)
class Panel:
    """`queries` are PromQL by legend; `unit` is Grafana's name of it; `text` says what is normal."""

    title: str
    queries: dict[str, str]
    unit: str
    text: str


ROWS: dict[str, tuple[Panel, ...]] = {
    "Is anything missing or late": (
        Panel(
            "Views: seconds behind",
            {"{{service}}.{{view}}": f"max by (service, view) (guildhall_view_lag_seconds{{{SERVICE}}})"},
            "s",
            "Below one second; it rises while a view catches up, the broker is away, or a reader stalls.",
        ),
        Panel(
            "Relay: seconds behind",
            {"{{service}}": f"max by (service) (guildhall_relay_lag_seconds{{{SERVICE}}})"},
            "s",
            "Milliseconds. It rises while Kafka is away and falls by itself.",
        ),
        Panel(
            "Set aside, stuck, missing",
            {
                "parked {{view}}": "max by (service, view) (guildhall_parked_events)",
                "given up {{manager}}": "max by (service, manager) (guildhall_dead_commands)",
                "stuck {{service}}/{{partition}}": "max by (service, partition) (guildhall_relay_stuck) > 0",
                "missing {{source}}/{{partition}}": "max by (source, partition) (guildhall_view_stalled) > 0",
                "hole {{service}}/{{partition}}": "max by (service, partition) (guildhall_stream_hole) > 0",
            },
            "short",
            "Nothing, ever.",
        ),
    ),
    "Requests": (
        Panel(
            "Requests by status",
            {"{{status}}": f"sum by (status) (rate(guildhall_request_seconds_count{{{SERVICE}}}[$__rate_interval]))"},
            "reqps",
            "5xx only while a database is away.",
        ),
        Panel(
            "Slowest hundredth by service",
            {"{{service}}": f"histogram_quantile(0.99, sum by (service, le) (rate({REQUESTS}[$__rate_interval])))"},
            "s",
            "Tens of milliseconds.",
        ),
        Panel(
            "Median by operation",
            {
                "{{operation}}": "topk(10, histogram_quantile(0.5, sum by (operation, le) "
                f"(rate({REQUESTS}[$__rate_interval]))))"
            },
            "s",
            "The ten slowest operations.",
        ),
    ),
    "Log": (
        Panel(
            "Events appended",
            {"{{service}}": f"sum by (service) (rate(guildhall_log_events_total{{{SERVICE}}}[$__rate_interval]))"},
            "ops",
            "What the services decide.",
        ),
        Panel(
            "Commit, slowest hundredth",
            {
                "{{service}}": "histogram_quantile(0.99, sum by (service, le) "
                f"(rate(guildhall_log_append_seconds_bucket{{{SERVICE}}}[$__rate_interval])))"
            },
            "s",
            "A few milliseconds, which are the disk's.",
        ),
        Panel(
            "Events by partition",
            {"{{service}}/{{partition}}": f"max by (service, partition) (guildhall_log_position{{{SERVICE}}})"},
            "short",
            "Partitions of a service grow alike.",
        ),
    ),
    "Relay and leases": (
        Panel(
            "Events not relayed",
            {
                "{{service}}": f"sum by (service) (max by (service, partition) (guildhall_log_position{{{SERVICE}}}) - "
                f"max by (service, partition) (guildhall_relay_checkpoint_position{{{SERVICE}}}))"
            },
            "short",
            "Nearly none.",
        ),
        Panel(
            "Leases held",
            {"{{service}} {{lease}}": f"max by (service, lease) (guildhall_lease_held{{{SERVICE}}})"},
            "short",
            "1 each; a moment of 0 when a worker is restarted.",
        ),
        Panel(
            "Changes of leader",
            {"{{service}} {{lease}}": f"max by (service, lease) (delta(guildhall_lease_epoch{{{SERVICE}}}[15m]))"},
            "short",
            "None, but for restarts.",
        ),
    ),
    "Views": (
        Panel(
            "Events folded",
            {"{{source}}": "sum by (source) (rate(guildhall_view_events_total[$__rate_interval]))"},
            "ops",
            "Each event once a reader.",
        ),
        Panel(
            "Events behind",
            {"{{service}}.{{view}}": f"max by (service, view) (guildhall_view_lag_events{{{SERVICE}}})"},
            "short",
            "Nearly none; after a long stop it falls by tens of thousands a second.",
        ),
        Panel(
            "Consumers made anew, records of others, parts begun again",
            {
                "consumer of {{service}}": "sum by (service) (increase(guildhall_stream_rebuilt_total[15m]))",
                "foreign records of {{service}}": "sum by (service) (increase(guildhall_stream_foreign_total[15m]))",
                "{{service}} {{part}}": "sum by (service, part) (increase(guildhall_worker_restarts_total[15m]))",
            },
            "short",
            "None, but for restarts of the broker or the database.",
        ),
    ),
    "Processes": (
        Panel(
            "Memory",
            {"{{service}} {{instance}}": f'process_resident_memory_bytes{{job="guildhall",{SERVICE}}}'},
            "bytes",
            "Level, after a while.",
        ),
        Panel(
            "File descriptors",
            {"{{service}} {{instance}}": f'process_open_fds{{job="guildhall",{SERVICE}}}'},
            "short",
            "Level, after a while.",
        ),
        Panel(
            "Database connections in use",
            {"{{service}} {{pool}}": f"sum by (service, pool) ({CONNECTIONS})"},
            "short",
            "Well below the limit.",
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """The document Grafana imports."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_row(len(panels) + 1, title, top))
        top += 1
        for index, panel in enumerate(row):
            panels.append(_panel(len(panels) + 1, panel, index * WIDTH, top))
        top += HEIGHT
    return {
        "uid": "guildhall",
        "title": "Guildhall",
        "tags": ["guildhall"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_datasource(), _services()]},
        "annotations": {"list": []},
        "panels": panels,
    }


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": 24, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, left: int, top: int) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": source,
        "gridPos": {"x": left, "y": top, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": source, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _services() -> dict[str, Any]:
    return {
        "name": "service",
        "label": "Service",
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": "label_values(guildhall_database_up, service)", "refId": "services"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
