"""The whole system as processes: a community comes in by the command line, and its numbers are the oracle's."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.importers.sample import FOLDER as SAMPLE
from deploy.local import measures
from tests.e2e import odd_dump
from tests.e2e.oracle import ACTIONS, Oracle
from tests.e2e.small_dump import LEFT_OUT, ROWS, STRANGERS, small_dump
from tests.e2e.system import ROOT, LocalSystem, free_port
from tests.otlp import Receiver, receiving

SAMPLE_DATES = (date(2011, 8, 17), date(2011, 9, 30), date(2012, 8, 24), date(2016, 2, 29), date(2021, 8, 24))
SAMPLE_LINES = 1_703 + 274 + 487 + 1_305 + 86 + 3_990
TREND = timedelta(30)
ROBOTS = frozenset({"-1"})  # the site's own account


@dataclass
class Imported:
    """A community that was brought in: what the terminal showed, and its oracle."""

    system: LocalSystem
    community: str
    folder: Path
    output: str
    oracle: Oracle

    def activity(self) -> list[dict[str, Any]]:
        """The daily series over all days, with the kinds of actions that a dump knows; there are no others."""
        days = self.oracle.days()
        span = {"from": days[0].isoformat(), "to": days[-1].isoformat()}
        answer = self.system.metrics(self.community, "activity", step="day", **span)
        assert (answer["time_zone"], answer["freshness"]["lag_events"]) == ("UTC", 0)
        items: list[dict[str, Any]] = answer["items"]
        for item in items:
            assert sum(item["actions"].values()) == sum(item["actions"][kind] for kind in ACTIONS)
            item["actions"] = {kind: item["actions"][kind] for kind in ACTIONS}
        return items

    def expected_activity(self) -> list[dict[str, Any]]:
        return [self.oracle.activity(day) for day in self.oracle.days()]

    def ranking(self, as_of: date) -> list[dict[str, Any]]:
        """The whole ranking of a day, page by page."""
        items: list[dict[str, Any]] = []
        page: dict[str, str] = {}
        while True:
            answer = self.system.metrics(self.community, "influence", as_of=as_of.isoformat(), limit=200, **page)
            items += answer["items"]
            if answer["next"] is None:
                return [_all_imported(item) for item in items]
            page = {"cursor": answer["next"]}

    def expected(self, as_of: date) -> dict[str, dict[str, Any]]:
        """What the API says of each member with a score, by member id."""
        now, before = self.oracle.influence(as_of), self.oracle.influence(as_of - TREND)
        return {
            self.oracle.members[user]: {
                "member_id": self.oracle.members[user],
                "score": row.score / 1000,
                "reach": row.reach,
                "resonance": row.resonance / 1000,
                "authority": row.authority / 1000,
                "percentile": row.percentile,
                "trend": (row.score - (before[user].score if user in before else 0)) / 1000,
            }
            for user, row in now.items()
        }

    def expected_ranking(self, as_of: date) -> list[dict[str, Any]]:
        ranked = {self.oracle.members[user] for user, one in self.oracle.influence(as_of).items() if one.ranked}
        items = [item for member, item in self.expected(as_of).items() if member in ranked]
        items.sort(key=lambda item: (-item["score"], item["member_id"]))
        return [{"rank": rank, **item} for rank, item in enumerate(items, 1)]


def _all_imported(item: dict[str, Any]) -> dict[str, Any]:
    """The item without what it says of imports, which is that all of it rests on them, and of authority a part."""
    of_imports = item.pop("of_imports")
    assert (of_imports["reach"], of_imports["resonance"]) == (item["reach"], item["resonance"])
    assert 0 <= of_imports["authority"] <= item["authority"]
    assert of_imports["score"] <= item["score"]
    return item


def bring_in(system: LocalSystem, folder: Path, community: str, scratch: Path) -> Imported:
    """Import a dump, and wait until it is in every view."""
    map_file = scratch / f"{community}.csv"
    output = system.bring_in(folder, community, "--map", str(map_file))
    with map_file.open() as file:
        members = {row["row"]: row["id"] for row in csv.DictReader(file) if row["kind"] == "member"}
    system.settle(community)
    return Imported(system, community, folder, output, Oracle(folder, members, ROBOTS))


def reported(output: str) -> dict[str, tuple[int, ...]]:
    """The report's table: rows read, applied, edited, repeated, left out and rejected of each table."""
    found = re.findall(r"(Users|Posts|Comments|Votes|Badges|all) +" + r"│ +([\d,]+) +" * 6, output)
    return {name: tuple(int(number.replace(",", "")) for number in numbers) for name, *numbers in found}


@pytest.fixture(scope="module")
def receiver(servers: None) -> Iterator[Receiver]:
    """Takes the traces; only those that a caller asks for, so that nothing else is slower."""
    with receiving() as found, pytest.MonkeyPatch.context() as environment:
        environment.setenv("GUILDHALL_OTLP_ENDPOINT", found.endpoint)
        environment.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        yield found


@pytest.fixture(scope="module")
def system(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    running = LocalSystem(tmp_path_factory.mktemp("guildhall") / "home", free_port())
    running.up()
    try:
        yield running
    finally:
        running.down()


@pytest.fixture(scope="module")
def small(system: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    scratch = tmp_path_factory.mktemp("small")
    return bring_in(system, small_dump(scratch / "dump"), "small", scratch)


@pytest.fixture(scope="module")
def sample(system: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return bring_in(system, SAMPLE, "french-meta", tmp_path_factory.mktemp("sample"))


def test_every_row_of_a_dump_is_accounted_for(small: Imported) -> None:
    left_out = {table: sum(reasons.values()) for table, reasons in LEFT_OUT.items()}
    rows = {table: (read, read - left_out[table], 0, 0, left_out[table], 0) for table, read in ROWS.items()}
    whole = tuple(sum(counts) for counts in zip(*rows.values(), strict=True))
    assert reported(small.output) == {**rows, "all": whole}
    for table, reasons in LEFT_OUT.items():
        for reason, count in reasons.items():
            assert f"Left out: {count} of {table}, {reason}." in small.output
    assert f"Note: {STRANGERS} rows by a user who is not in Users.xml" in small.output


def test_activity_is_the_oracles_on_every_day(small: Imported) -> None:
    assert small.activity() == small.expected_activity()


def test_the_ranking_is_the_oracles_on_every_day(small: Imported) -> None:
    for day in small.oracle.days():
        assert small.ranking(day) == small.expected_ranking(day)


def test_every_members_influence_is_explained_to_the_last_thousandth(small: Imported) -> None:
    for day in (date(2020, 1, 12), date(2020, 4, 1), date(2020, 12, 31), date(2021, 6, 1)):
        for member, item in small.expected(day).items():
            answer = small.system.metrics(small.community, f"influence/{member}", as_of=day.isoformat())
            assert {name: answer[name] for name in item} == item
            path = f"influence/{member}/explain"
            parts = small.system.metrics(small.community, path, as_of=day.isoformat(), limit=200)
            assert sum(part["thousandths"] for part in parts["items"]) == round(item["score"] * 1000)
            assert parts["sum_thousandths"] == parts["score_thousandths"] == round(item["score"] * 1000)


def test_the_same_dump_again_is_repeated_and_changes_nothing(small: Imported) -> None:
    output = small.system.bring_in(small.folder, small.community)
    small.system.settle(small.community)
    counts = reported(small.output)
    assert reported(output) == {name: (row[0], 0, 0, row[1], *row[4:]) for name, row in counts.items()}
    assert small.activity() == small.expected_activity()
    last = small.oracle.days()[-1]
    assert small.ranking(last) == small.expected_ranking(last)


def test_ten_years_of_a_real_community_have_the_oracles_activity_on_every_day(sample: Imported) -> None:
    assert reported(sample.output)["all"][1:4] == (SAMPLE_LINES, 0, 0)
    assert sample.activity() == sample.expected_activity()


@pytest.mark.parametrize("day", SAMPLE_DATES)
def test_and_the_oracles_influence_of_every_member(sample: Imported, day: date) -> None:
    assert sample.ranking(day) == sample.expected_ranking(day)


def test_what_is_odd_in_a_dump_concerns_its_row_and_the_rest_comes_in_in_its_order(
    system: LocalSystem, tmp_path: Path
) -> None:
    folder = odd_dump.odd_dump(tmp_path / "odd")
    output = system.bring_in(folder, "odd")
    left_out = {table: sum(reasons.values()) for table, reasons in odd_dump.LEFT_OUT.items()}
    counts = {table: (read, read - left_out[table]) for table, read in odd_dump.ROWS.items()}
    found = reported(output)
    assert {name: row[:2] for name, row in found.items() if name != "all"} == counts
    assert found["all"][2] == found["all"][3] == found["all"][5] == 0
    for table, reasons in odd_dump.LEFT_OUT.items():
        for reason, count in reasons.items():
            assert f"Left out: {count} of {table}, {reason}." in output
    assert all(note in output for note in odd_dump.NOTES)

    system.settle("odd")
    third, second, first = system.listed("odd", "threads", limit=2)
    assert (first["body"], first["tags"][-1], second["title"]) == ("A character", "help", "t" * 299 + "…")
    assert (second["author_id"], third["title"], set(third["body"])) == (None, None, {"中"})
    replies = system.listed("odd", f"threads/{first['id']}/replies", limit=7)
    assert [reply["body"] for reply in replies] == [f"<p>Body {100 + n}</p>" for n in range(odd_dump.SEVERAL)]
    assert [reply["author_id"] is None for reply in replies] == [True] + [False] * (odd_dump.SEVERAL - 1)
    comments = system.listed("odd", f"threads/{first['id']}/comments", limit=7)
    assert [one["body"] for one in comments] == [f"Comment {n}" for n in range(odd_dump.SEVERAL)]

    again = reported(system.bring_in(folder, "odd"))
    assert again == {name: (row[0], 0, 0, row[1], *row[4:]) for name, row in found.items()}


def test_two_sites_in_one_community_are_kept_apart_and_told(system: LocalSystem, tmp_path: Path) -> None:
    folder = odd_dump.odd_dump(tmp_path / "odd")
    once = reported(system.bring_in(folder, "twins"))["all"]
    output = system.bring_in(folder, "twins", "--site", "other.example")
    assert reported(output)["all"] == once
    assert "twins already holds another site" in output
    system.settle("twins")
    assert len(system.listed("twins", "threads", limit=200)) == 6
    assert [channel["name"] for channel in system.listed("twins", "channels", limit=200)] == [
        "Questions",
        "Questions (other.example)",
    ]


def test_one_trace_goes_from_the_request_through_kafka_into_the_read_models(
    system: LocalSystem, receiver: Receiver
) -> None:
    assert system.client is not None
    body = {"slug": "traced", "name": "Traced", "purpose": "To be followed.", "language": "en", "time_zone": "UTC"}
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = system.client.post(
        "/v1/communities", json=body, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    )
    assert answer.status_code == 201, answer.text
    # Each process sends its spans when it likes: the last of them to arrive is any of these.
    wanted = {("member", "append"), ("member", "relay"), ("member", "project"), ("projection", "project")}
    until = time.monotonic() + 30
    while not wanted <= {(s.service, s.name) for s in receiver.spans if s.trace == trace}:
        assert time.monotonic() < until, receiver.spans
        time.sleep(0.1)

    spans = [span for span in receiver.spans if span.trace == trace]
    (request,) = [span for span in spans if span.name.startswith("POST")]
    (append,) = [span for span in spans if span.name == "append"]
    assert (request.service, request.parent, append.parent) == ("member", "b7ad6b7169203331", request.id)
    assert {(s.service, s.name) for s in spans if s.parent == append.id} >= wanted - {("member", "append")}
    assert all(append.began <= span.began <= span.ended for span in spans if span.parent == append.id)
    assert receiver.traces().keys() == {trace}


def test_an_operator_asks_the_local_system_without_any_settings(small: Imported) -> None:
    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "GUILDHALL_HOME": str(small.system.home)}
        command = [sys.executable, "-m", "deploy.cli", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120)

    lag, doctor = ask("lag", "--json", "--fail-above", "0"), ask("doctor", "--full", "--json")

    services = {each["service"]: each for each in json.loads(lag.stdout)["services"]}
    assert (lag.returncode, lag.stderr) == (0, "")
    assert services.keys() == {"member", "content", "engagement", "feedback"}
    assert services["content"]["events"] == sum(services["content"]["log"]) > 0
    found = json.loads(doctor.stdout)
    assert [f for f in found["findings"] if f["state"] == "broken"] == []
    assert found["not_looked_at"] == []
    assert {f["where"] for f in found["findings"] if f["check"] == "topic whole"} == services.keys()
    assert {f["check"] for f in found["findings"]} >= {"service", "service clock", "disk", "leases", "watermarks"}


def test_kill_9_of_everything_in_the_middle_of_an_import_leaves_nothing_that_importing_again_does_not_mend(
    system: LocalSystem, tmp_path: Path
) -> None:
    services = {one["name"]: one["port"] for one in json.loads(system.run("status", "--json").stdout)["processes"]}
    before = written(services)
    importing = system.begin("import", "stackexchange", str(SAMPLE), "--community", "crash")
    while written(services) < before + SAMPLE_LINES // 3:
        assert importing.poll() is None
        time.sleep(0.05)
    importing.kill()
    system.kill()
    importing.wait()
    assert written(services) == 0
    system.up()
    again = bring_in(system, SAMPLE, "crash", tmp_path)
    _, applied, edited, repeated, _, rejected = reported(again.output)["all"]
    assert (applied + repeated, edited, rejected) == (SAMPLE_LINES, 0, 0)
    assert min(applied, repeated) > 0
    assert again.activity() == again.expected_activity()
    last = again.oracle.days()[-1]
    assert again.ranking(last) == again.expected_ranking(last)


def written(services: Mapping[str, int]) -> int:
    """Events in all logs together, asked by {service: port}; 0 when nothing runs. The command is too slow for it."""
    return sum(one.written or 0 for one in measures.ask(services))
