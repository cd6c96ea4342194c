"""Whoever sends most of what has to be refused waits; nobody else does."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from shared.web import context
from shared.web import refusal_budget as refusals
from shared.web.access.jwks import Keys
from shared.web.access.tokens import Tokens
from shared.web.context import RequestContext
from shared.web.metering import Metered
from shared.web.refusal_budget import SPAN, RefusalBudget, RefusalLimit
from tests.shared.issuer import AUDIENCE, ISSUER, token, write_key_set


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def who(number: int) -> tuple[str, str]:
    return "issuer", f"caller {number}"


def within(budget: float, amounts: list[float]) -> tuple[RefusalBudget, Clock]:
    clock = Clock()
    kept = RefusalBudget(budget, clock)
    for number, amount in enumerate(amounts):
        kept.charge(who(number), amount)
    return kept, clock


def test_nobody_waits_while_refusing_takes_less_than_the_budget() -> None:
    kept, _ = within(0.05, [0.2, 0.2, 0.09])

    assert [kept.wait(who(number)) for number in range(4)] == [0, 0, 0, 0]


def test_over_the_budget_those_wait_that_are_over_their_fair_share() -> None:
    kept, _ = within(0.05, [0.3, 0.3, 0.1])  # 0.1 is left to the third, so 0.2 to each of the others

    assert [kept.wait(who(number)) for number in range(3)] == pytest.approx([SPAN * math.log(1.4)] * 2 + [0])


def test_who_has_waited_as_long_as_they_were_told_is_let_in() -> None:
    kept, clock = within(0.05, [2.0, 0.01])
    wait = kept.wait(who(0))
    assert wait == pytest.approx(SPAN * math.log(2.01 / 0.5))  # when all are within the budget, if that is sooner

    clock.now += wait + 0.01

    assert kept.wait(who(0)) == 0


@given(st.lists(st.floats(1e-4, 10), min_size=1, max_size=30))
def test_what_is_within_the_fair_shares_is_the_budget(amounts: list[float]) -> None:
    kept, _ = within(0.05, amounts)
    waits = [kept.wait(who(number)) for number in range(len(amounts))]

    if sum(amounts) <= 0.05 * SPAN:
        assert not any(waits)
        return
    held = [amount for amount, wait in zip(amounts, waits, strict=True) if wait]
    let_in = [amount for amount, wait in zip(amounts, waits, strict=True) if not wait]
    assert held
    assert min(held) >= max(let_in, default=0)
    assert sum(let_in) <= 0.05 * SPAN * 1.000001


def test_accounts_are_bounded_and_the_largest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "REMEMBERED", 100)
    kept, _ = within(0.05, [5.0] + [0.001] * 1_000)

    assert len(kept._accounts) <= 100
    assert kept.wait(who(0)) > 0


async def test_processor_time_is_that_of_the_works_own_turns() -> None:
    request = RequestContext("id", 0.0)

    async def work(seconds: float) -> str:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        await asyncio.sleep(0.05)
        return "done"

    done, _ = await asyncio.gather(Metered(work(0.02), request), work(0.2))

    assert done == "done"
    assert 0.02 <= request.spent < 0.2


async def test_what_is_metered_is_cancelled_and_fails_as_without() -> None:
    request = RequestContext("id", 0.0)
    heard: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
            raise

    async def run() -> None:
        await Metered(work(), request)

    task = asyncio.create_task(run())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), heard) == (True, ["cancelled"])

    async def late() -> None:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await Metered(late(), request)


class Service:
    """An application that answers everything with one status, for so much processor time, and how it was asked."""

    def __init__(
        self, status: int, seconds: float = 0.0, *, refused: bool = False, tokens: Tokens | None = None
    ) -> None:
        self.tokens = tokens
        self.status, self.seconds, self.refused = status, seconds, refused
        self.turns = RefusalLimit(self._answer, service="toy", budget=0.05)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        context.in_scope(scope).refused = self.refused
        if self.tokens is not None:
            context.in_scope(scope).caller = await self.tokens.verify(
                dict(scope["headers"])[b"authorization"][7:].decode()
            )
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(
        self, host: str = "192.0.2.1", path: str = "/v1/communities", *, authorization: str | None = None
    ) -> tuple[int, dict[bytes, bytes]]:
        headers = [] if authorization is None else [(b"authorization", authorization.encode())]
        scope: dict[str, Any] = {"type": "http", "path": path, "headers": headers, "client": (host, 1)}
        scope["app"] = SimpleNamespace(state=SimpleNamespace(runtime=SimpleNamespace(tokens=self.tokens)))
        scope[context.KEY] = RequestContext("id", time.monotonic())
        seen: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            seen.append(message)

        await self.turns(scope, receive, send)
        return seen[0]["status"], dict(seen[0]["headers"])


def held() -> float:
    """How many requests have been held so far: who is not held has not waited, on a machine of any speed."""
    return float(refusals.HELD.labels("toy")._value.get())


@pytest.fixture
def short(seconds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "SPAN", 0.4)
    monkeypatch.setattr(refusals, "FRESH", 0.0)
    monkeypatch.setattr(refusals, "HOLD", 0.2)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("status", "refused"), [(422, False), (200, True)])
async def test_who_is_refused_again_and_again_is_held_then_turned_away_and_others_are_not(
    status: int, refused: bool
) -> None:
    service = Service(status, 0.03, refused=refused)
    answers = [await service.ask() for _ in range(3)]
    began = time.monotonic()
    together = await asyncio.gather(*(service.ask() for _ in range(5)))

    assert [status for status, _ in answers][:2] == [service.status] * 2
    turned_away = [headers for status, headers in together if status == 429]
    assert len(turned_away) >= 5 - refusals.MOST_HELD
    assert all(int(headers[b"retry-after"]) >= 1 for headers in turned_away)
    assert time.monotonic() - began < 10  # that they are let go; how fast is the machine's affair

    before = held()
    assert (await service.ask("192.0.2.2"))[0] == service.status
    assert held() == before > 0


@pytest.mark.usefixtures("short")
async def test_nobody_is_somebody_new_with_each_new_token(tmp_path: Path) -> None:
    tokens = Tokens(Keys(write_key_set(tmp_path)), issuer=ISSUER, audience=AUDIENCE, member_secret=b"secret")
    service = Service(422, 0.03, tokens=tokens)

    def fresh(subject: str) -> str:
        return f"Bearer {token(sub=subject, jti=str(uuid4()), scope=f'guildhall:{uuid4()}')}"

    for number in range(6):
        await service.ask(f"192.0.2.{number}", authorization=fresh("alice"))
    again = await asyncio.gather(
        *(service.ask(f"192.0.2.{number}", authorization=fresh("alice")) for number in range(10, 40))
    )

    assert sum(status == 429 for status, _ in again) >= 30 - refusals.MOST_HELD
    before = held()
    assert (await service.ask("192.0.2.50", authorization=fresh("bob")))[0] == 422
    assert held() == before > 0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("status", [200, 409, 503])
async def test_what_is_in_order_costs_nobody_anything(status: int) -> None:
    service = Service(status, 0.03)

    assert [(await service.ask())[0] for _ in range(10)] == [status] * 10


@pytest.mark.usefixtures("short")
async def test_machines_that_look_after_the_service_are_not_counted() -> None:
    service = Service(404, 0.03)

    assert [(await service.ask(path="/metrics"))[0] for _ in range(10)] == [404] * 10
