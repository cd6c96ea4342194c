"""A backfill: every line is answered in order and decided like REST, and nothing a line holds stops the others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.db import driver
from shared.events.identity import derived_id
from shared.replicas.directory import VIEW as DIRECTORY
from shared.replicas.directory_lookup import BELIEVED
from shared.web.backfill.exchange import LONGEST_LINE, MOST_USELESS, WINDOW, Lines
from tests.conftest import FreshDatabase
from tests.shared.issuer import bearer, write_key_set
from tests.shared.live import Conversation, conversation, listening
from tests.shared.toy_api import TABLES, Api, here, toy_api
from tests.shared.toy_service import SERVICE

SOON = 10.0
PATH = "/v1/communities/square/toy/backfill"
SCOPE = "guildhall:backfill"


@dataclass
class Live:
    api: Api
    port: int

    def talk(self) -> Any:
        return conversation(self.port, PATH, "founder", scope=SCOPE)

    async def bring(self, *lines: object, raw: bytes = b"") -> list[dict[str, Any]]:
        """Answers to those lines, sent while answers are read."""
        async with self.talk() as talk:
            sending = asyncio.create_task(self._send(talk, lines, raw))
            answers: list[dict[str, Any]] = await talk.answers()
            await sending
            return answers

    @staticmethod
    async def _send(talk: Conversation, lines: tuple[object, ...], raw: bytes) -> None:
        for line in lines:
            await talk.send(line)  # type: ignore[arg-type]
        if raw:
            await talk.send_raw(raw)
        await talk.end()


@pytest.fixture(scope="module")
async def live(fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with (
        fresh_database(SERVICE.metadata) as settings,
        # One caller sends all that is refused here, and would be made to wait for it.
        toy_api(settings.model_copy(update={"refusal_share": 1.0}), jwks) as api,
    ):
        await api.community("square")
        await api.standing("square", "founder", "member", "owner")
        await api.standing("square", "origin:7")
        await api.standing("square", "origin:8")
        with api.caught_up():
            async with listening(api.app) as port:
                yield Live(api, port)


def opening(source: str, /, **changes: object) -> dict[str, object]:
    return {
        "command": "open-account",
        "source": source,
        "subject": "origin:7",
        "occurred_at": "2011-08-17T20:18:56.507Z",
        **changes,
    }


def payment(source: str, account: str, amount: int = 1, /, **changes: object) -> dict[str, object]:
    return opening(source, command="deposit", account=account, amount=amount, **changes)


async def test_a_line_is_applied_once_and_then_repeated(live: Live) -> None:
    first = await live.bring(opening("once"))
    again = await live.bring(opening("once"))
    account = derived_id("backfill", here("square"), "account", "once")
    member = live.api.member("square", "origin:7")

    assert first == [{"line": 1, "source": "once", "status": "applied", "id": str(account), "member": str(member)}]
    assert again == [{**first[0], "status": "repeated"}]
    async with driver(live.api.runtime.engine) as connection:
        row = await connection.fetchrow(
            "select actor, community, occurred_at, imported_by from log where stream = $1", account
        )
    assert row is not None
    assert (row["actor"], row["community"]) == (member, here("square"))
    assert row["imported_by"] == live.api.member("square", "founder")
    assert row["occurred_at"].isoformat() == "2011-08-17T20:18:56.507000+00:00"


async def test_a_rejected_line_tells_no_member(live: Live) -> None:
    wrong = [opening("r:1", occurred_at="2999-01-01T00:00:00Z"), payment("r:2", "nothing"), payment("r:3", "once", 0)]
    answers = await live.bring(opening("once"), *wrong)

    assert [answer["status"] for answer in answers[1:]] == ["rejected"] * 3
    assert ["member" in answer for answer in answers] == [True, False, False, False]


async def test_a_caller_may_bring_in_so_many_lines_a_day_and_an_operator_more(live: Live) -> None:
    async with driver(live.api.runtime.engine) as connection:
        await connection.execute("delete from quota")
    before, live.api.runtime.settings = (
        live.api.runtime.settings,
        live.api.runtime.settings.model_copy(update={"import_lines": 3}),
    )
    try:
        first = await live.bring(opening("q:1"), opening("q:2"))
        again = [answer for _ in range(5) for answer in await live.bring(opening("q:1"))]
        then = await live.bring(opening("q:3"), opening("q:4"), opening("q:5"))
        body = json.dumps(opening("q:4"))
        headers = {**bearer("founder", scope="guildhall:operate"), "content-type": "application/x-ndjson"}
        operator = await live.api.client.post(PATH, content=body, headers=headers)
    finally:
        live.api.runtime.settings = before
        async with driver(live.api.runtime.engine) as connection:
            await connection.execute("delete from quota")

    assert [answer["status"] for answer in (*first, *again)] == ["applied"] * 2 + ["repeated"] * 5
    assert [answer["status"] for answer in then] == ["applied", "rejected", "rejected"]
    assert (then[1]["problem"]["status"], then[1]["problem"]["detail"][:25]) == (429, "You have brought 3 lines ")
    assert json.loads(operator.text)["status"] == "applied"


async def test_lines_of_one_stream_go_in_order_and_dependants_find_what_came_before(live: Live) -> None:
    lines: list[object] = []
    for n in range(40):
        lines.append(opening(f"dep:{n}"))
        lines.append(payment(f"pay:{n}", f"dep:{n}", n + 1))
    answers = await live.bring(*lines)

    assert [answer["status"] for answer in answers] == ["applied"] * 80
    assert [answer["line"] for answer in answers] == list(range(1, 81))


@pytest.mark.parametrize(
    ("line", "status", "pointer"),
    [
        (b"{\n", 400, None),
        (b"[1]\n", 400, None),
        (b"\xff\xfe\n", 400, None),
        (b'"\\ud800"\n', 400, None),
        (b"[" * 50_000 + b"\n", 422, ""),
        (b'{"command": NaN}\n', 400, None),
        ({"command": "steal"}, 422, "/command"),
        ({}, 422, "/command"),
        ({"command": ["open-account"]}, 422, "/command"),
        ({"command": "open-account"}, 422, "/source"),
        (opening("x", source=""), 422, "/source"),
        (opening("x", source="a\x00b"), 422, "/source"),
        (opening("x", source=7), 422, "/source"),
        (opening("x", subject=""), 422, "/subject"),
        (opening("x", subject="s" * 256), 422, "/subject"),
        (opening("x", occurred_at="2011-08-17T20:18:56"), 422, "/occurred_at"),
        (opening("x", occurred_at="yesterday"), 422, "/occurred_at"),
        (opening("x", occurred_at="2999-01-01T00:00:00Z"), 422, "/occurred_at"),
        (opening("x", occurred_at="1969-12-31T23:59:59Z"), 422, "/occurred_at"),
        (opening("x", occurred_at="0001-01-01T00:00:00+14:00"), 422, "/occurred_at"),
        (opening("x", role="owner"), 422, "/role"),
        (payment("x", "nothing"), 409, None),
        (payment("x", "once", 0), 422, "/amount"),
        (payment("x", "once", 10**30), 422, "/amount"),
        (payment("x", "once", subject="origin:stranger"), 403, None),
        (opening("x", command="break"), 500, None),
    ],
)
async def test_a_line_that_cannot_be_is_rejected_and_the_rest_goes_on(
    live: Live, line: Any, status: int, pointer: str | None
) -> None:
    answers = await live.bring(opening("before"), line, opening("after"))

    assert [answer["line"] for answer in answers] == [1, 2, 3]
    assert answers[1]["status"] == "rejected"
    assert answers[1]["problem"]["status"] == status
    assert {answers[0]["status"], answers[2]["status"]} <= {"applied", "repeated"}
    if pointer is not None:
        assert pointer in {error["pointer"] for error in answers[1]["problem"]["errors"]}
    assert "secret" not in str(answers[1])


async def test_what_lies_in_the_future_the_runtimes_clock_tells(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    line = opening("ahead", occurred_at="2041-06-01T12:00:00Z")
    answers = []
    for second in (datetime(2041, 6, 1, 11, 58, 59, tzinfo=UTC), datetime(2041, 6, 1, 11, 59, tzinfo=UTC)):
        monkeypatch.setattr(live.api.runtime, "clock", lambda second=second: second)
        answers += await live.bring(line)

    assert [answer["status"] for answer in answers] == ["rejected", "applied"]
    assert answers[0]["problem"]["detail"] == "`occurred_at` lies in the future."


async def test_a_line_that_is_too_long_is_rejected_without_being_kept(live: Live) -> None:
    answers = await live.bring(opening("l1"), b"x" * (3 * LONGEST_LINE) + b"\n", opening("l2"))

    assert [answer["status"] for answer in answers] == ["applied", "rejected", "applied"]
    assert answers[1]["problem"]["status"] == 413


async def test_blank_lines_are_counted_and_the_last_line_needs_no_end(live: Live) -> None:
    answers = await live.bring(b"\n", b"  \r\n", raw=b'{"command": "open-account"}')

    assert [(answer["line"], answer["status"]) for answer in answers] == [(3, "rejected")]
    assert await live.bring() == []


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n", b" \n\r\n\v\n"])
async def test_blank_lines_without_end_end_the_request_and_fewer_do_not(live: Live, blank: bytes) -> None:
    many = blank * (MOST_USELESS // blank.count(b"\n"))
    answers = await live.bring(many, opening(f"blank:{blank!r}:1"), many, opening(f"blank:{blank!r}:2"))
    assert [answer["status"] for answer in answers] == ["applied"] * 2

    async with live.talk() as talk:
        await talk.send_raw(many + blank)
        await talk.send_raw(b"\n")
        assert await asyncio.wait_for(talk.answers(), SOON) == []


@pytest.mark.parametrize("broken", [b"{}\n", b"[\n", b'{"command": "open-account"}\n'])
async def test_broken_lines_without_end_end_the_request_and_fewer_do_not(live: Live, broken: bytes) -> None:
    many = broken * MOST_USELESS
    answers = await live.bring(many, opening(f"broken:{broken!r}:1"), many, opening(f"broken:{broken!r}:2"))
    assert [answer["status"] for answer in answers if answer["status"] != "rejected"] == ["applied"] * 2
    assert len(answers) == 2 * MOST_USELESS + 2

    async with live.talk() as talk:
        await talk.send_raw(many + 10 * broken)
        assert len(await asyncio.wait_for(talk.answers(), SOON)) == MOST_USELESS + 1


def test_a_chunk_of_blank_lines_takes_no_time() -> None:
    """64 KiB took 23 ms of the loop; half of that is far above what it takes now, on a slow machine too."""
    for blank in (b"\n", b"\r\n", b" \n", b"\v\t \r\n"):
        chunk, lines = blank * (65_536 // len(blank)), Lines()
        began = time.process_time()
        for _ in range(10):
            assert list(lines.feed(chunk)) == []
        assert time.process_time() - began < 0.115, blank
        assert lines.blank == 10 * chunk.count(b"\n")
        assert list(lines.feed(b"{}\n")) == [(1 + 10 * chunk.count(b"\n"), b"{}")]


async def test_the_first_line_is_answered_while_the_rest_is_still_to_come(live: Live) -> None:
    async with live.talk() as talk:
        for n in range(3):
            await talk.send(opening(f"talk:{n}"))
            answer = await asyncio.wait_for(talk.answer(), 5)
            assert answer is not None
            assert (answer["line"], answer["status"]) == (n + 1, "applied")
        await talk.end()
        assert await talk.answers() == []


async def test_a_line_that_comes_in_pieces_is_one_line(live: Live) -> None:
    async with live.talk() as talk:
        for byte in b'{"command": "open-account", "source": "bytes",':
            await talk.send_raw(bytes([byte]))
        await talk.send_raw(b'"occurred_at": "2020-01-01T00:00:00+08:00"}\n')
        await talk.end()
        (answer,) = await talk.answers()

    assert (answer["status"], answer["member"]) == ("applied", None)


async def test_who_hangs_up_stops_the_work_and_leaves_whole_lines_only(live: Live) -> None:
    async with live.talk() as talk:
        await talk.send(opening("hang:1"))
        assert (await talk.answer() or {})["status"] == "applied"
        await talk.send_raw(b'{"command": "open-account", "source": "hang:2", "occurred_at": "2020-01-01T00:00:00Z"}')
    await asyncio.sleep(0.2)

    assert [a["status"] for a in await live.bring(opening("hang:1"), opening("hang:2"))] == ["repeated", "applied"]
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("backfill")]


async def test_who_does_not_read_answers_is_not_read_from_either(live: Live) -> None:
    await live.bring(known := opening("poured"))
    began = await _events(live)
    async with live.talk() as talk:

        async def pour() -> None:
            for n in range(200_000):
                if n % (MOST_USELESS // 2) == 0:
                    await talk.send(known)
                await talk.send(opening(f"pour:{n}", source=f"pour:{n % 7}", command="unknown-" + "x" * 150))

        pouring = asyncio.create_task(pour())
        await asyncio.sleep(3)
        assert not pouring.done()
        pouring.cancel()
    assert await _events(live) == began


async def _events(live: Live) -> int:
    async with driver(live.api.runtime.engine) as connection:
        return int(await connection.fetchval("select count(*) from log"))


async def test_a_store_that_is_away_rejects_lines_that_may_be_repeated(live: Live) -> None:
    log = live.api.runtime.log
    async with driver(live.api.runtime.engine) as connection, connection.transaction():
        await connection.execute("select from log_partition for update")
        held = await live.bring(opening("held"))
    again = await live.bring(opening("held"))

    assert log is not None
    assert (held[0]["status"], held[0]["problem"]["status"]) == ("rejected", 503)
    assert again[0]["status"] in ("applied", "repeated")


async def test_words_of_a_line_go_to_the_vault(live: Live) -> None:
    line = opening("note:1", command="note", text="hello")
    assert (await live.bring(line))[0]["status"] == "applied"

    ref: UUID = derived_id("backfill", here("square"), "words", "note:1")
    assert await live.api.runtime.vault.read(here("square"), [ref]) == {ref: {"text": "hello"}}


async def test_what_is_not_lines_of_json_is_refused(live: Live) -> None:
    for kind, status in (("application/json", 415), ("application/x-ndjson", 200), ("application/jsonl", 200)):
        headers = {**bearer("founder", scope=SCOPE), "content-type": kind}
        assert (await live.api.client.post(PATH, headers=headers)).status_code == status


async def test_a_thousand_lines_take_less_than_a_second_or_two(live: Live) -> None:
    """No benchmark: it shows that lines go side by side, which one after the other would take five times as long."""
    lines = [opening(f"many:{n}") for n in range(1_500)]
    began = time.monotonic()
    answers = await live.bring(*lines)
    took = time.monotonic() - began

    print(f"{len(answers) / took:.0f} lines/s")
    assert {answer["status"] for answer in answers} == {"applied"}


def test_lines_are_cut_wherever_chunks_end() -> None:
    text = b"one\n\ntwo\r\n" + b"x" * 30 + b"\nthree\n" + b"y" * 21
    expected = [(1, b"one"), (3, b"two"), (4, None), (5, b"three"), (6, None)]

    for size in range(1, len(text) + 1):
        lines = Lines(longest=20)
        found = [line for start in range(0, len(text), size) for line in lines.feed(text[start : start + size])]
        assert [*found, *lines.end()] == expected


def test_the_window_is_small_enough_to_bound_memory() -> None:
    assert WINDOW * LONGEST_LINE <= 16 * 2**20


async def _until_its_end(talk: Conversation) -> list[dict[str, Any]]:
    """Answers while blank lines are sent without end: what ends is the service's side."""
    sending = asyncio.create_task(_without_end(talk))
    try:
        return await talk.answers()
    finally:
        sending.cancel()


async def _without_end(talk: Conversation) -> None:
    with suppress(ConnectionError):
        while True:
            await asyncio.sleep(0.1)
            await talk.send_raw(b"\n")


async def test_who_loses_the_role_on_the_way_writes_nothing_more(live: Live) -> None:
    revoked = sa.update(TABLES[f"{DIRECTORY}_role"]).where(TABLES[f"{DIRECTORY}_role"].c.role == "administrator")
    await live.api.standing("square", "passing", "member", "administrator")
    async with conversation(live.port, PATH, "passing", scope=SCOPE) as talk:
        await talk.send(opening("right:1"))
        first = await talk.answer()
        async with live.api.runtime.engine.begin() as connection:
            await connection.execute(revoked.values(granted=False))
        await asyncio.sleep(BELIEVED)  # a look-up that permitted is believed for that long
        await talk.send(opening("right:2"), opening("right:1"))
        rest = await asyncio.wait_for(_until_its_end(talk), SOON)

    assert first is not None
    assert first["status"] == "applied"
    assert {(answer["status"], answer["problem"]["status"]) for answer in rest} == {("rejected", 403)}
    assert rest[0]["problem"]["detail"] == "A backfill needs the role owner or administrator in this community."
    async with driver(live.api.runtime.engine) as connection:
        account = derived_id("backfill", here("square"), "account", "right:2")
        assert not await connection.fetchval("select count(*) from log where stream = $1", account)


async def test_a_token_that_expires_on_the_way_brings_in_nothing_more(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with live.talk() as talk:
        await talk.send(opening("token:1"))
        first = await talk.answer()
        monkeypatch.setattr(live.api.runtime.tokens, "_clock", lambda: time.time() + 3600)
        await talk.send(opening("token:2"))
        (then,) = await asyncio.wait_for(_until_its_end(talk), SOON)

    assert first is not None
    assert (first["status"], then["status"], then["problem"]["status"]) == ("applied", "rejected", 401)
