"""How far everything is behind, exact to the event; what does not answer is named, and the rest is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner, Result

from deploy.operations.cli import console
from deploy.operations.cli import doctor as doctor_command
from deploy.operations.cli import lag as lag_command
from deploy.operations.cli.main import app
from deploy.operations.databases import databases
from deploy.operations.lag import Lag, measure
from shared.service.service import Service
from shared.settings import settings
from tests.deploy.operations.hall import EVENTS, OWNER, READER, SERVICES, Hall

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """The commands, with the small system's services and settings."""

    def load_all(names: Sequence[str] | None) -> list[Service]:
        return [service for service in SERVICES if not names or service.name in names]

    for module in (lag_command, doctor_command):
        monkeypatch.setattr(module, "load_all", load_all)
    monkeypatch.setattr(lag_command, "service_names", lambda: [OWNER, READER])
    monkeypatch.setattr(console.console, "width", 200)
    monkeypatch.setenv("GUILDHALL_DATABASE_URL", hall.settings.database_url)
    monkeypatch.setenv("GUILDHALL_KAFKA", hall.settings.kafka)
    settings.cache_clear()

    async def invoke(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    yield invoke
    settings.cache_clear()


async def look(hall: Hall, **filters: list[str]) -> Lag:
    async with databases(hall.settings, SERVICES) as opened:
        return await measure(opened, SERVICES, hall.settings.partitions, **filters)


async def test_what_is_behind_is_counted_and_its_age_is_the_oldest_events(hall: Hall) -> None:
    await hall.sql("update relay_checkpoint set position = position - 2")
    await hall.sql("update watermark set position = position - 1 where partition = 3", READER)
    await hall.sql("update log set recorded_at = clock_timestamp() - interval '100 seconds' where partition = 3")
    found = await look(hall)
    await hall.sql("update relay_checkpoint set position = position + 2")
    await hall.sql("update watermark set position = position + 1 where partition = 3", READER)

    (service,) = found.services
    stages = {stage.reader: stage for stage in service.stages}
    assert (service.service, service.events, found.missing) == (OWNER, EVENTS, [])
    assert stages.keys() == {"relay", f"{OWNER}.tally", "observing.tally"}
    assert (stages["relay"].events, stages["relay"].behind) == (24, [2] * 12)
    assert (stages[f"{OWNER}.tally"].events, stages[f"{OWNER}.tally"].age) == (0, 0.0)
    assert stages["observing.tally"].behind == [int(p == 3) for p in range(12)]
    assert 100 <= stages["observing.tally"].seconds[3] < 130
    assert stages["observing.tally"].age == stages["observing.tally"].seconds[3]
    known, late = stages[f"{OWNER}.tally"].complete_until, stages["observing.tally"].complete_until
    assert known is not None
    assert late is not None
    assert 0 <= (datetime.now(UTC) - known).total_seconds() < 5
    assert 100 <= (known - late).total_seconds() < 130
    assert [s.reader for s in found.above(23, None)] == ["relay"]
    assert {s.reader for s in found.above(None, 99.0)} == {"relay", "observing.tally"}


async def test_a_filter_leaves_the_others_out(hall: Hall) -> None:
    names = {
        words: [stage.reader for stage in (await look(hall, views=[words])).stages]
        for words in ("tally", "observing.tally", "nothing")
    }

    assert names == {
        "tally": [f"{OWNER}.tally", "observing.tally"],
        "observing.tally": ["observing.tally"],
        "nothing": [],
    }
    assert (await look(hall, only=[READER])).services == []


async def test_lag_is_a_table_a_document_and_an_exit_status(hall: Hall, run: Run) -> None:
    await hall.sql("update watermark set position = position - 1 where partition < 5", READER)
    shown, lines = await run("lag"), await run("lag", "--partitions")
    document, above, allowed = (
        await run("lag", "--json"), await run("lag", "--fail-above", "4"), await run("lag", "--fail-above", "5")
    )  # fmt: skip
    after = await run("lag", "--fail-after", "0.001", "--view", "observing.tally")
    await hall.sql("update watermark set position = position + 1 where partition < 5", READER)

    assert (shown.exit_code, lines.exit_code, document.exit_code) == (0, 0, 0)
    (row,) = [line.split() for line in shown.output.splitlines() if "observing.tally" in line]
    assert shown.output.splitlines()[0].endswith("complete until")
    assert row[:5] == [OWNER, "observing.tally", str(EVENTS), str(EVENTS - 5), "5"]
    assert len([line for line in lines.output.splitlines() if line.startswith(OWNER)]) == 12
    (service,) = json.loads(document.output)["services"]
    assert {reader["reader"]: reader["events_behind"] for reader in service["readers"]} == {
        "relay": 0, f"{OWNER}.tally": 0, "observing.tally": 5
    }  # fmt: skip
    assert (above.exit_code, allowed.exit_code, after.exit_code) == (1, 0, 1)
    assert "observing.tally lacks 5 events" in above.output


async def test_it_is_looked_at_again_and_again_until_it_is_broken_off(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) % 3 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(lag_command, "sleep", sleep)
    lines = await run("lag", "--watch", "--json", "--every", "0.5")
    screens = await run("lag", "--watch")

    assert (lines.exit_code, screens.exit_code, looks) == (0, 0, [0.5] * 3 + [2.0] * 3)
    documents = [json.loads(line) for line in lines.output.splitlines()]
    assert [document["services"][0]["events"] for document in documents] == [EVENTS] * 3
    assert documents[0]["at"] < documents[1]["at"] < documents[2]["at"]
    assert "observing.tally" in screens.output


async def test_what_does_not_answer_is_named_and_the_rest_is_told(
    hall: Hall, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUILDHALL_KAFKA", "127.0.0.1:1")
    settings.cache_clear()
    no_broker = await run("lag")
    name = hall.settings.database_url.rpartition("/")[2].replace("{service}", READER)
    await hall.sql(f"alter database {name} rename to {name}_away")
    try:
        no_database = await run("lag")
    finally:
        await hall.sql(f"alter database {name}_away rename to {name}")

    assert (no_broker.exit_code, no_database.exit_code) == (2, 2)
    assert "Kafka at 127.0.0.1:1 does not answer" in no_broker.output
    assert "observing.tally" in no_broker.output
    assert f"The database of {READER}" in no_database.output
    assert f"{OWNER}.tally" in no_database.output
    assert "Traceback" not in no_broker.output + no_database.output


async def test_a_log_that_nobody_can_read_leaves_its_readers_positions(hall: Hall) -> None:
    name = hall.settings.database_url.rpartition("/")[2].replace("{service}", OWNER)
    await hall.sql(f"alter database {name} rename to {name}_away", READER)
    try:
        found = await look(hall)
    finally:
        await hall.sql(f"alter database {name}_away rename to {name}", READER)

    (service,) = found.services
    (stage,) = service.stages
    assert (service.log, stage.reader, sum(stage.positions)) == (None, "observing.tally", EVENTS)
    assert (stage.events, stage.age, stage.complete_until) == (None, None, None)


async def test_names_that_are_none_are_refused(run: Run) -> None:
    for arguments, words in (
        (["--service", "x"], "There is no service 'x'"),
        (["--view", "x"], "There is no view 'x'"),
    ):
        refused = await run("lag", *arguments)
        assert (refused.exit_code, words in refused.output) == (1, True)


async def test_the_doctor_speaks_to_people_and_to_programs(hall: Hall, run: Run) -> None:
    well, quiet = await run("doctor"), await run("doctor", "--quiet")
    await hall.sql("update lease set expires_at = now() - interval '2 seconds' where name = 'relay'")
    limping = await run("doctor", "--quiet", OWNER)
    await hall.sql("update lease set expires_at = now() - interval '1 hour' where name = 'relay'")
    ill = await run("doctor", "--json")
    await hall.lease()

    assert (well.exit_code, quiet.exit_code, limping.exit_code, ill.exit_code) == (0, 0, 1, 2)
    assert "no position missing" in well.output
    assert "no position missing" not in quiet.output
    assert "→ Look again in a moment" in limping.output
    document = json.loads(ill.output)
    assert document["state"] == "broken"
    assert [f["check"] for f in document["findings"] if f["state"] == "broken"] == ["leases"]
