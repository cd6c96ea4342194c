"""`make alerts`: promtool checks rules and scrape configuration, and tries every alert on the series of cases.py."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.observability.documents import ALERTS, FOLDER, alerts
from tests.deploy.observability.cases import CASES


def unit_tests() -> dict[str, Any]:
    """Two tests for each alert, in promtool's own form: it fires, and it does not."""
    tests = []
    for rule in alerts():
        case = CASES[rule["alert"]]
        for series, expected in ((case.fires, [_expected(rule, case.labels)]), (case.quiet, [])):
            tests.append(
                {
                    "interval": "1m",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "alert_rule_test": [{"eval_time": "29m", "alertname": rule["alert"], "exp_alerts": expected}],
                }
            )
    return {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}


def _expected(rule: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The alert as it must appear: its words with the labels put in, as Prometheus does."""

    def value(found: re.Match[str]) -> str:
        return labels.get(found[1], "")

    notes = {name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", value, text) for name, text in rule["annotations"].items()}
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": notes}


def main(arguments: list[str]) -> int:
    tool = arguments[0] if arguments else shutil.which("promtool")
    if tool is None:
        print("There is no promtool here. On Debian: apt-get install prometheus. Or: make alerts PROMTOOL=path")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        tests = Path(folder) / "tests.yaml"
        tests.write_text(yaml.safe_dump(unit_tests()))
        commands = (
            ["check", "rules", str(ALERTS)],
            ["check", "config", str(FOLDER / "prometheus.yaml")],
            ["test", "rules", str(tests)],
        )
        return max(subprocess.run([tool, *command], check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
