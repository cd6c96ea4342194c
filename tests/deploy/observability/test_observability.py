"""Rules, dashboard and run book speak of metrics that exist, with labels that they have, and nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.observability.__main__ import ROOT, main
from deploy.observability.dashboard import ROWS, dashboard
from deploy.observability.documents import FOLDER, alerts, documents
from deploy.observability.metrics import metrics
from services.content.app import SERVICE as CONTENT
from tests.deploy.observability.cases import CASES
from tests.deploy.observability.promtool import unit_tests

TARGET = {"instance", "job", "service", "le"}
"""Labels that Prometheus adds, and a histogram's own."""
NAME = re.compile(r"\b((?:guildhall|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?")
UNITS = re.compile(r"_(seconds|events|commands|position|partitions|connections|bytes|fds|total|epoch)$")
STATES = {
    "guildhall_database_up", "guildhall_lease_held", "guildhall_relay_leading", "guildhall_relay_stuck",
    "guildhall_view_failing", "guildhall_view_stalled", "guildhall_stream_hole",
}  # fmt: skip
"""Yes or no, or a position that is missing: they have no unit."""

SAMPLES = {sample: metric for metric in metrics() for sample in metric.samples}


def wrong(query: str) -> list[str]:
    """What a query names that is not there: metrics, and labels of those."""
    found = []
    for name, labels in NAME.findall(query):
        if name != "up" and name not in SAMPLES:
            found.append(name)
        known = TARGET if name == "up" or name not in SAMPLES else TARGET | set(SAMPLES[name].labels)
        found += [f"{name}{{{label}}}" for label in re.findall(r"(\w+)\s*[=!]~?\"", labels) if label not in known]
    return found


def queries() -> list[str]:
    panels = [query for row in ROWS.values() for panel in row for query in panel.queries.values()]
    return [*(rule["expr"] for rule in alerts()), *panels, *(s for c in CASES.values() for s in (*c.fires, *c.quiet))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('rate(guildhall_request_seconds_count{status="500"}[5m])', []),
        ("guildhall_request_seconds", ["guildhall_request_seconds"]),
        ('guildhall_log_position{view="x",partition=~"1"}', ["guildhall_log_position{view}"]),
        ("up == 0 or guildhall_gone > 0", ["guildhall_gone"]),
    ],
)
def test_a_metric_or_label_that_is_not_there_is_found(query: str, found: list[str]) -> None:
    assert wrong(query) == found


def test_rules_and_dashboard_name_only_what_is_there() -> None:
    assert len(queries()) > 80
    assert [each for query in queries() for each in wrong(query)] == []


def test_a_metric_is_named_for_its_thing_and_its_unit_and_says_what_it_tells() -> None:
    for metric in metrics():
        assert metric.name in STATES or UNITS.search(metric.name), metric.name
        assert metric.text.endswith("."), metric.name
    assert len({metric.name for metric in metrics()}) == len(metrics()) > 30


def test_every_alert_has_its_words_a_place_in_the_run_book_and_a_case_that_fires() -> None:
    rules = alerts()
    run_book = (ROOT / "docs" / "operations.md").read_text()
    headings = {line[4:].lower() for line in run_book.splitlines() if line.startswith("### ")}

    assert {rule["alert"] for rule in rules} == CASES.keys()
    assert len(rules) == len(CASES) > 20
    for rule in rules:
        notes = rule["annotations"]
        assert notes.keys() == {"summary", "meaning", "action", "runbook_url"}
        assert all(len(text) > 20 for text in notes.values())
        page, _, heading = notes["runbook_url"].partition("#")
        assert (page, heading in headings) == ("docs/operations.md", True)
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(re.findall(r"\$labels\.(\w+)", str(notes))) <= CASES[rule["alert"]].labels.keys()


def test_a_case_that_fires_differs_from_the_one_that_does_not_in_values_alone() -> None:
    tests: list[Any] = unit_tests()["tests"]

    assert len(tests) == 2 * len(CASES)
    for case in CASES.values():
        assert case.fires.keys() == case.quiet.keys()
        assert case.fires != case.quiet


def test_the_dashboard_is_one_that_grafana_can_take() -> None:
    found = dashboard()
    panels = found["panels"]
    places = [(p["gridPos"]["x"] + dx, p["gridPos"]["y"] + dy) for p in panels for dx in range(p["gridPos"]["w"])
              for dy in range(p["gridPos"]["h"])]  # fmt: skip

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(places)) == len(places), "panels lie over each other"
    assert max(x for x, _ in places) < 24
    assert all(p["targets"] and p["description"] for p in panels if p["type"] == "timeseries")
    for panel in panels:
        targets = panel.get("targets", [])
        assert [target["refId"] for target in targets] == list("ABCDE")[: len(targets)]


def test_what_is_written_from_the_code_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert main(["nothing"]) == 2
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "operations.md").write_text("# no marks\n")
    with pytest.raises(ValueError, match="has lost its marks for metrics"):
        documents(tmp_path)


def test_prometheus_asks_every_process_of_the_containers() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    config = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    targets = {target.partition(":")[0] for each in job["static_configs"] for target in each["targets"]}

    assert targets == {name for name in compose["services"] if name.endswith(("-api", "-worker"))}
    assert job["honor_labels"] is True
    for service in ("prometheus", "grafana"):
        for volume in compose["services"][service]["volumes"]:
            assert (ROOT / volume.partition(":")[0]).is_file()
    assert CONTENT.name in {each["labels"]["service"] for each in job["static_configs"]}
