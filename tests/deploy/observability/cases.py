"""For each alert, series at which it must fire and series at which it must not, as promtool writes them.

`a+bxn` is a series that begins at a and grows by b each minute, n times. Both kinds stand for 30 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """`fires` and `quiet` are values by series; `labels` are those of the alert, without its name and severity."""

    fires: dict[str, str]
    quiet: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)


CONTENT = {"service": "content"}
WHERE = 'instance="content-api:8000",job="guildhall",service="content"'
PART = {"service": "content", "partition": "3"}


def _requests(fast: int, slow: int) -> dict[str, str]:
    """So many requests a minute within 0.25 s, and so many more within 2.5 s."""
    name = "guildhall_request_seconds_bucket"
    series = {
        f'{name}{{{WHERE},operation="list_threads",status="200",le="0.25"}}': f"0+{fast}x30",
        f'{name}{{{WHERE},operation="list_threads",status="200",le="2.5"}}': f"0+{fast + slow}x30",
        f'{name}{{{WHERE},operation="list_threads",status="200",le="+Inf"}}': f"0+{fast + slow}x30",
    }
    # Probes and backfills may take any time.
    for operation in ("/readyz", "backfill_content"):
        series[f'{name}{{{WHERE},operation="{operation}",status="200",le="0.25"}}'] = "0x30"
        series[f'{name}{{{WHERE},operation="{operation}",status="200",le="+Inf"}}'] = "0+1000x30"
    return series


def _statuses(fine: int, failed: int) -> dict[str, str]:
    name = "guildhall_request_seconds_count"
    return {
        f'{name}{{{WHERE},operation="list_threads",status="200"}}': f"0+{fine}x30",
        f'{name}{{{WHERE},operation="list_threads",status="503"}}': f"0+{failed}x30",
    }


def _commits(fast: int, slow: int) -> dict[str, str]:
    name = "guildhall_log_append_seconds_bucket"
    return {
        f'{name}{{{WHERE},le="0.1"}}': f"0+{fast}x30",
        f'{name}{{{WHERE},le="0.5"}}': f"0+{fast + slow}x30",
        f'{name}{{{WHERE},le="+Inf"}}': f"0+{fast + slow}x30",
    }


def _one(name: str, labels: str, fires: str, quiet: str, alert: dict[str, str]) -> Case:
    series = f"{name}{{{labels}}}"
    return Case({series: fires}, {series: quiet}, alert)


_INSTANCE = {"instance": "content-api:8000", "job": "guildhall", **CONTENT}
_PARTITION = f'{WHERE},partition="3"'
_STALL = 'instance="content-api:8000",job="guildhall",service="projection",source="content",partition="3"'
_LEADING = f"guildhall_relay_leading{{{WHERE}}}"
_RELAYED = f"guildhall_relay_position{{{_PARTITION}}}"


def _pool(used: int) -> dict[str, str]:
    name = "guildhall_database_connections"
    return {
        f'{name}{{{WHERE},pool="api",state="in_use"}}': f"{used}x30",
        f'{name}{{{WHERE},pool="api",state="limit"}}': "12x30",
    }


def _disk(free: str) -> dict[str, str]:
    return {
        'guildhall_disk_free_bytes{instance="x",folder="/data"}': f"{free}x30",
        'guildhall_disk_size_bytes{instance="x",folder="/data"}': "100e9x30",
    }


def _descriptors(used: int) -> dict[str, str]:
    return {f"process_open_fds{{{WHERE}}}": f"{used}x30", f"process_max_fds{{{WHERE}}}": "1024x30"}


CASES: dict[str, Case] = {
    "GuildhallProcessDown": _one("up", WHERE, "0x30", "1x30", _INSTANCE),
    "GuildhallDatabaseAway": _one("guildhall_database_up", WHERE, "0x30", "1x30", CONTENT),
    "GuildhallRelayLagging": _one("guildhall_relay_lag_seconds", WHERE, "0+60x30", "0.2x30", CONTENT),
    "GuildhallRelayWithoutLeader": _one("guildhall_lease_held", f'{WHERE},lease="relay"', "0x30", "1x30", CONTENT),
    "GuildhallRelayStuck": _one("guildhall_relay_stuck", _PARTITION, "1x30", "0x30", PART),
    "GuildhallTopicAway": Case(
        {_LEADING: "1x30", _RELAYED: " ".join(["NaN"] * 31)}, {_LEADING: "1x30", _RELAYED: "0x30"}, _INSTANCE
    ),
    "GuildhallTopicLost": _one(
        "guildhall_relay_checkpoint_position", _PARTITION, "5000+10x20 10+500x9", "5000+10x30", PART
    ),
    "GuildhallViewLagging": _one(
        "guildhall_view_lag_seconds", f'{WHERE},view="threads"', "0+60x30", "0.3x30", {**CONTENT, "view": "threads"}
    ),
    "GuildhallViewStalled": _one(
        "guildhall_view_stalled", _STALL, "17x30", "0x30",
        {"service": "projection", "source": "content", "partition": "3"},
    ),
    "GuildhallViewFailing": _one(
        "guildhall_view_failing", f'{WHERE},source="content"', "1x30", "0x30", {**CONTENT, "source": "content"}
    ),
    "GuildhallDeadLetters": _one(
        "guildhall_dead_commands", f'{WHERE},manager="gifts"', "2x30", "0x30", {**CONTENT, "manager": "gifts"}
    ),
    "GuildhallCommandsOverdue": _one(
        "guildhall_commands_overdue_seconds", f'{WHERE},manager="gifts"', "90x30", "30x30",
        {**CONTENT, "manager": "gifts"},
    ),
    "GuildhallParked": _one(
        "guildhall_parked_events", f'{WHERE},view="threads"', "2x30", "0x30", {**CONTENT, "view": "threads"}
    ),
    "GuildhallLogHeldUp": _one("guildhall_log_held_up_partitions", WHERE, "1x30", "0x30", CONTENT),
    "GuildhallAppendsSlow": Case(_commits(100, 50), _commits(10_000, 1), CONTENT),
    "GuildhallRequestsSlow": Case(_requests(100, 50), _requests(10_000, 1), CONTENT),
    "GuildhallServerErrors": Case(_statuses(1000, 50), _statuses(1000, 1), CONTENT),
    "GuildhallConnectionsExhausted": Case(_pool(12), _pool(6), {**_INSTANCE, "pool": "api"}),
    "GuildhallLeaseFlapping": _one(
        "guildhall_lease_epoch", f'{WHERE},lease="relay"', "1+1x30", "7x30", {**CONTENT, "lease": "relay"}
    ),
    "GuildhallConsumersFail": _one("guildhall_stream_rebuilt_total", WHERE, "0+1x30", "3x30", _INSTANCE),
    "GuildhallForeignRecords": _one("guildhall_stream_foreign_total", WHERE, "0x10 1x20", "3x30", CONTENT),
    "GuildhallWorkerRestarts": _one(
        "guildhall_worker_restarts_total", f'{WHERE},part="relay"', "0+1x30", "3x30", {**_INSTANCE, "part": "relay"}
    ),
    "GuildhallDiskFilling": Case(_disk("3e9"), _disk("40e9"), {"folder": "/data"}),
    "GuildhallMemory": _one("process_resident_memory_bytes", WHERE, "2e9x30", "3e8x30", _INSTANCE),
    "GuildhallFileDescriptors": Case(_descriptors(1000), _descriptors(60), _INSTANCE),
}  # fmt: skip
