"""An import comes to its end through lost answers and absent services, and accounts for every row."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from deploy.importers import client
from deploy.importers.client import Guildhall, ImportStopped
from deploy.importers.dump import Dump, DumpError
from deploy.importers.report import ImportReport
from deploy.importers.rows import ILLEGIBLE
from deploy.importers.stackexchange import REFUSED
from deploy.importers.transfer import import_dump
from tests.importers.dumps import answer, comment, question, user, vote, write_dump
from tests.importers.fake_guildhall import FakeGuildhall, Fault, serving

USERS = 7
ROWS = USERS + 2 + 1 + 3


@pytest.fixture
def fake(servers: None) -> Iterator[FakeGuildhall]:
    with serving(FakeGuildhall()) as running:
        yield running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_FIRST", 0.001)
    monkeypatch.setattr(client, "PATIENCE", 1.0)
    monkeypatch.setattr(client, "FIRST_CONTACT", 0.2)
    monkeypatch.setattr(client, "LINES", 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dump(
        tmp_path,
        users=[user(id_) for id_ in range(1, USERS + 1)],
        posts=[question(1, 1), answer(2, 1, 2)],
        comments=[comment(1, 2, 1)],
        votes=[vote(1, 2, 1), vote(2, 1, 2), vote(3, 1, 5)],
    )


def run(folder: Path, fake: FakeGuildhall, token: str = "secret", site: str = "town") -> ImportReport:
    async def main() -> ImportReport:
        async with Guildhall(fake.origin, token) as guildhall:
            return await import_dump(Dump.at(folder), guildhall, "town", name="Town", site=site)

    return asyncio.run(main())


def counts(report: ImportReport) -> tuple[int, int, int, int, int]:
    return report.read, report.applied, report.repeated, report.left_out, report.rejected


def test_what_is_missing_is_founded_and_every_row_is_accounted_for(folder: Path, fake: FakeGuildhall) -> None:
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 1, 0, 1, 0)
    assert (report.founded, fake.communities) == (True, {"town"})


def test_a_second_time_everything_is_repeated(folder: Path, fake: FakeGuildhall) -> None:
    run(folder, fake)
    report = run(folder, fake)
    assert counts(report) == (ROWS, 0, ROWS - 1, 1, 0)
    assert not report.founded


def test_each_kind_goes_to_its_service_after_what_it_refers_to(folder: Path, fake: FakeGuildhall) -> None:
    run(folder, fake)
    paths = list(dict.fromkeys(path for path, _ in fake.requests))
    assert paths == [f"/v1/communities/town/{service}/backfill" for service in ("content", "member", "engagement")]
    kinds = list(dict.fromkeys(line["command"] for line in fake.seen.values()))
    assert kinds == ["open-channel", "join", "open-thread", "post-reply", "post-comment", "accept-answer", "react"]


def test_requests_are_bounded(folder: Path, fake: FakeGuildhall) -> None:
    run(folder, fake)
    # Several are under way at once, and arrive as they like.
    assert sorted(lines for path, lines in fake.requests if "/member/" in path) == [1, 3, 3]


def test_after_an_answer_that_ends_early_only_the_rest_is_sent_again(folder: Path, fake: FakeGuildhall) -> None:
    fake.faults.extend([Fault(), Fault(answers=2)])
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 1, 0, 1, 0)
    assert sorted(lines for path, lines in fake.requests if "/member/" in path) == [1, 1, 3, 3]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_line_that_meets_an_absent_part_or_one_that_is_behind_is_sent_again(
    folder: Path, fake: FakeGuildhall, status: int
) -> None:
    fake.faults.extend([Fault(), Fault(line=(2, status))])
    assert counts(run(folder, fake)) == (ROWS, ROWS - 1, 0, 1, 0)


def test_what_stays_unknown_is_refused_in_the_end(
    folder: Path, fake: FakeGuildhall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "NOT_YET", 0.2)
    fake.unknown.add("stackexchange:town:user:1")
    assert counts(run(folder, fake)) == (ROWS, ROWS - 2, 0, 1, 1)


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_a_service_that_is_away_is_asked_again(folder: Path, fake: FakeGuildhall, status: int) -> None:
    fake.faults.extend([Fault(status=status)] * 3)
    assert counts(run(folder, fake)) == (ROWS, ROWS - 1, 0, 1, 0)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_days_quota_stops_the_import_with_advice_and_the_next_run_goes_on_where_it_stopped(
    folder: Path, fake: FakeGuildhall, at: int
) -> None:
    fake.faults.extend([Fault(), Fault(line=(at, 429))])
    with pytest.raises(
        ImportStopped, match=r"no more lines today.*Behind\..*after midnight UTC, in \d+ h \d+ min.*goes on"
    ):
        run(folder, fake)
    sent = len(fake.requests) - 1
    assert 1 <= sent <= client.IN_FLIGHT  # nothing is tried again, and nothing begun
    assert all("/member/" in path for path, _ in fake.requests[1:])
    read, applied, repeated, left_out, rejected = counts(run(folder, fake))
    assert (read, applied + repeated, left_out, rejected) == (ROWS, ROWS - 1, 1, 0)
    assert repeated >= at - 1


def test_a_service_that_stays_away_ends_the_import_with_advice(folder: Path, fake: FakeGuildhall) -> None:
    fake.faults.extend([Fault(status=503)] * 1_000)
    with pytest.raises(ImportStopped, match=r"503: Not now\.\..*run the import again"):
        run(folder, fake)


def test_where_nothing_listens_it_says_so(folder: Path) -> None:
    with pytest.raises(ImportStopped, match="does not answer as it should"):
        run(folder, FakeGuildhall(port=1))


def test_a_token_that_is_not_accepted_stops_at_once(folder: Path, fake: FakeGuildhall) -> None:
    with pytest.raises(ImportStopped, match=r"401: Send a token\. Give another token"):
        run(folder, fake, token="stale")


def test_refused_rows_are_counted_and_the_others_go_on(folder: Path, fake: FakeGuildhall) -> None:
    fake.refused.add("stackexchange:town:post:2")
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 2, 0, 1, 1)
    assert [(r.table, r.row, r.why) for r in report.rejections] == [("Posts", "2", "Too long.")]


def test_what_a_member_did_who_was_refused_is_nobodys(folder: Path, fake: FakeGuildhall) -> None:
    fake.refused.add("stackexchange:town:user:2")
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 2, 0, 1, 1)
    subjects = {source: line["subject"] for source, line in fake.seen.items()}
    assert subjects["stackexchange:town:post:1"] == "stackexchange:town:1"
    assert subjects["stackexchange:town:post:2"] is None
    assert report.census.notes == {REFUSED: 1}


def test_a_row_that_is_cut_off_is_left_out_and_told(folder: Path, fake: FakeGuildhall) -> None:
    votes = folder / "Votes.xml"
    votes.write_text(votes.read_text().partition('VoteTypeId="5"')[0])
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 1, 0, 1, 0)
    assert report.census.left_out["Votes"] == {ILLEGIBLE: 1}
    assert report.census.remarks == ["Votes.xml ends too early: what stands before comes in."]


def test_a_foreign_file_is_known_before_anything_is_sent(folder: Path, fake: FakeGuildhall) -> None:
    (folder / "Votes.xml").write_text("<badges />")
    with pytest.raises(DumpError, match=r"Votes\.xml: this is <badges>, not <votes>"):
        run(folder, fake)
    assert (fake.communities, fake.seen) == (set(), {})


def test_a_second_site_has_a_channel_of_its_own_and_is_told(folder: Path, fake: FakeGuildhall) -> None:
    run(folder, fake)
    report = run(folder, fake, site="village")
    assert counts(report) == (ROWS, ROWS - 1, 0, 1, 0)
    assert report.census.remarks == [
        "town already holds another site (town); this one (village) is kept apart, in the channel Questions (village)."
    ]
    assert [(channel["name"], channel["purpose"]) for channel in fake.channels] == [
        ("Questions", "Questions and answers from Stack Exchange (town)"),
        ("Questions (village)", "Questions and answers from Stack Exchange (village)"),
    ]
    subjects = {line["subject"] for line in fake.seen.values() if line["command"] == "join"}
    assert len(subjects) == 2 * USERS


def test_a_channel_that_was_renamed_here_keeps_its_name(folder: Path, fake: FakeGuildhall) -> None:
    run(folder, fake)
    fake.channels[0]["name"] = "Renamed"
    fake.refused.add("stackexchange:town:channel:questions")  # as it would be with another name
    assert counts(run(folder, fake)) == (ROWS, 0, ROWS - 1, 1, 0)


def test_edits_and_what_was_left_out_of_rows_are_counted_by_reason(
    folder: Path, fake: FakeGuildhall, capsys: pytest.CaptureFixture[str]
) -> None:
    left_out = [{"pointer": f"/tags/{n}", "detail": "A tag has 1 to 50 characters"} for n in range(2)]
    fake.told["stackexchange:town:post:1"] = {"left_out": left_out}
    fake.told["stackexchange:town:post:2"] = {
        "status": "edited",
        "left_out": [{"pointer": "/title", "detail": "Too long"}],
    }
    report = run(folder, fake)
    assert counts(report) == (ROWS, ROWS - 2, 0, 1, 0)
    assert (report.edited, dict(report.answers["Posts"])) == (1, {"applied": 1, "edited": 1})
    assert report.parts == {
        ("Posts", "tags", "A tag has 1 to 50 characters"): 2,
        ("Posts", "title", "Too long"): 1,
    }
    report.show(Console(width=200))
    shown = capsys.readouterr().out
    assert "Left out of rows of Posts: 2 × tags: A tag has 1 to 50 characters" in shown
    assert "edited" in shown
