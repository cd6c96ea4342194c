"""A server that answers strangely gets no token for another, fills no memory, steers no terminal, and is told of."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deploy.importers import client
from deploy.importers.answers import Answer, LeftOutPart
from deploy.importers.cli import app
from deploy.importers.lines import Census, Line
from deploy.importers.report import KINDS, ImportReport
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from tests.importers.dishonest import HEAD, OWNED, Dishonest, Saying, each, for_ever, lines_of, raw, steering
from tests.importers.dumps import answer, question, user, write_dump
from tests.importers.fake_guildhall import serving

pytestmark = pytest.mark.usefixtures("servers")

CHANNELS = "/channels"
PLAIN = b"HTTP/1.1 200 OK\r\n\r\n"
NOBODY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_FIRST", 0.001)
    monkeypatch.setattr(client, "PATIENCE", 0.5)
    monkeypatch.setattr(client, "FIRST_CONTACT", 0.5)
    monkeypatch.setattr(client, "NOT_YET", 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dump(tmp_path / "dump", users=[user(1), user(2)], posts=[question(1, 1), answer(2, 1, 2)])


def invoke(folder: Path, origin: str, *more: str, token: str = "secret") -> Result:
    at = ["--community", "town", "--origin", origin, "--site", "town", *(["--token", token] if token else [])]
    return CliRunner().invoke(app, ["stackexchange", str(folder), *at, *more])


@contextmanager
def told(saying: Saying, where: str = "/backfill") -> Iterator[Dishonest]:
    with serving(Dishonest(where=where, saying=saying, communities={"town"})) as server:
        assert isinstance(server, Dishonest)
        yield server


def refused(**problem: object) -> Saying:
    return each({"status": "rejected", "problem": problem})


STRANGE: dict[str, tuple[str, Saying, str]] = {
    "lines without end": ("/backfill", for_ever(HEAD + b"\r\n", b"\n" * 65536), "longer than"),
    "one line without end": ("/backfill", for_ever(HEAD + b"\r\n", b"x" * 65536), "longer than"),
    "answers without end": (
        "/backfill",
        for_ever(HEAD + b"\r\n", b'{"line":1,"status":"applied"}\n'),
        "it answers line 1 ",
    ),
    "a line never sent": ("/backfill", lines_of({"line": 7, "status": "applied"}), "line 7 of 1 that were sent"),
    "a line below one": ("/backfill", lines_of({"line": -1, "status": "applied"}), "line -1 of 1"),
    "nested without end": ("/backfill", raw(HEAD + b'\r\n{"line":1,"problem":' + b"[" * 100_000), "cannot be read"),
    "no answers": ("/backfill", raw(HEAD + b"\r\n"), "ended early"),
    "drops": ("/backfill", for_ever(HEAD + b"\r\n", b" ", 0.01), "takes longer than"),
    "heads without end": ("/backfill", for_ever(b"HTTP/1.1 100 Continue\r\n", b"A: b\r\n", 0.0), "does not answer"),
    "packed": (
        "/backfill",
        raw(HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * (64 << 20))),
        "is packed (gzip)",
    ),
    "not HTTP": ("/backfill", raw(OWNED.encode() * 100), "does not answer as it should"),
    "a page without end": (CHANNELS, for_ever(PLAIN, b"x" * 65536), "longer than"),
    "pages without end": (CHANNELS, raw(PLAIN + b'{"items":[],"next":"again"}'), "no end of channels"),
    "a page that is none": (CHANNELS, raw(PLAIN + b"[]"), "cannot be read"),
    "a page of nothing known": (CHANNELS, raw(PLAIN + b'{"items":[{"name":7}]}'), "cannot be read"),
    "a page nested without end": (CHANNELS, raw(PLAIN + b"[" * 100_000), "cannot be read"),
    "a community without end": ("/town", for_ever(PLAIN, b"x" * 65536), "longer than"),
}


@pytest.mark.parametrize(("where", "saying", "words"), STRANGE.values(), ids=STRANGE)
def test_an_answer_that_cannot_be_one_is_told_in_one_sentence_and_fills_nothing(
    folder: Path, where: str, saying: Saying, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "OVERALL", 1.0)
    with told(saying, where) as server:
        invoke(folder, "http://127.0.0.1:9")  # what is imported and compiled at first is no part of it
        tracemalloc.start()
        try:
            result = invoke(folder, server.origin)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert words in result.output
    assert steering(result.output) == set()
    assert peak < 48 << 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["/backfill", CHANNELS, "/town"])
def test_a_token_follows_no_redirect(folder: Path, status: int, where: str) -> None:
    with serving(Dishonest()) as other:
        head = f"HTTP/1.1 {status} Found\r\nLocation: {other.origin}/v1/x\r\nContent-Length: 0\r\n\r\n"
        with told(raw(head.encode()), where) as server:
            result = invoke(folder, server.origin)
        assert isinstance(other, Dishonest)
        assert (result.exit_code, other.asked) == (1, [])
    assert f"It points to {other.origin}/v1/x, where nothing was sent" in result.output


def test_the_local_operators_token_goes_to_the_local_system_alone(folder: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "state").open()
    Issuer(home)
    with told(raw(PLAIN)) as server, home.lock():
        home.write("ports.json", json.dumps({"origin": 8000}))
        result = invoke(folder, server.origin, "--home", str(home.root), token="")
    assert (result.exit_code, server.asked) == (1, [])
    assert f"{server.origin} is not the local system, which is http://127.0.0.1:8000." in result.output


def test_what_a_server_says_steers_no_terminal_and_fills_neither_it_nor_a_file(folder: Path, tmp_path: Path) -> None:
    words = OWNED + "x" * 4_000
    parts = [{"pointer": f"/{OWNED}{number}", "detail": words} for number in range(2_000)]
    for saying in (
        refused(detail=words),
        refused(title=words, errors=parts[:20]),
        refused(status=429, detail=words),
        refused(status=503, detail=words),
        each({"status": "applied", "left_out": parts[:20]}),
        raw(f"HTTP/1.1 403 Said\r\n\r\n{json.dumps({'detail': words})}".encode()),
        raw(b"HTTP/1.1 418 \x9b2J\r\n\r\n"),
        raw(b"HTTP/1.1 302 Found\r\nLocation: http://x/\x9b2J\r\nContent-Length: 0\r\n\r\n"),
    ):
        with told(saying) as server:
            for site in ("town", "elsewhere"):
                purpose = f"Questions and answers from Stack Exchange ({site})"
                server.channels.append({"name": words, "purpose": purpose})
            result = invoke(folder, server.origin, "--rejected", str(tmp_path / "refused"))
        assert type(result.exception) in (SystemExit, type(None))
        assert (steering(result.output), steering((tmp_path / "refused").read_text())) == (set(), set())
        assert len(result.output) < 40_000


def test_parts_left_out_for_any_number_of_reasons_are_counted_under_some() -> None:
    report = ImportReport("town", founded=False, census=Census())
    for number in range(10 * KINDS):
        part = LeftOutPart(pointer=f"no slash {number}", detail=OWNED)
        report.add(Line("Posts", "1", "thread", {}), Answer(1, "applied", left_out=[part]))
    assert (len(report.parts), report.parts.total()) == (KINDS + 1, 10 * KINDS)
