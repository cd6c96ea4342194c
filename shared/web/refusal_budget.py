"""Refusing takes a small part of a process's time: those whose requests have to be refused most wait their turn.

What a request costs is measured in processor time, on its own task. A caller's account holds what refusing their
requests has cost lately. While all accounts together are over the budget, whoever is over their fair share of it
(max-min: what the modest leave is shared among the rest) is held before their request's body is read, and told to come
back when that would take long. Who sends what is in order never meets this.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import TypeAlias

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.events.errors import Problem, TooManyRequests
from shared.web import context, problems
from shared.web.context import QUIET
from shared.web.metering import Metered

SPAN = 10.0
"""Seconds after which a cost counts 1/e of what it did."""
FRESH = 0.25
"""Seconds for which the fair share is not reckoned anew."""
HOLD = 2.0
"""Seconds a request is held at most."""
MOST_HELD = 20
"""Requests of one caller that are held at the same time."""
REMEMBERED = 10_000
"""Accounts, the smallest of which go first."""
IN_ORDER = frozenset({409, 412})
"""Refused because somebody else was faster: nobody's fault."""

HELD = Counter("guildhall_requests_held", "Requests of callers of whom much was refused, made to wait.", ["service"])
TURNED_AWAY = Counter("guildhall_requests_turned_away", "Requests answered 429 for the same reason.", ["service"])

ADDRESS = "address"
Who: TypeAlias = tuple[str, str]
"""Issuer and subject of a caller's token; without a good one `ADDRESS` and where it came from."""


class RefusalBudget:
    """Accounts by caller, in seconds of processor time that halve every seven seconds. `budget` is a share of time."""

    def __init__(self, budget: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = budget * SPAN
        self._clock = clock
        self._accounts: dict[Who, tuple[float, float]] = {}
        """By caller, an amount and the time at which it was that."""
        self._total = (0.0, clock())
        self._share = (math.inf, -math.inf)

    def charge(self, who: Who, seconds: float) -> None:
        """Refusing this caller has cost that much."""
        now = self._clock()
        self._accounts[who] = (_left(self._accounts.get(who, _NOTHING), now) + seconds, now)
        self._total = (_left(self._total, now) + seconds, now)
        if len(self._accounts) > REMEMBERED:
            self._reckon(now)

    def is_over(self) -> bool:
        """Whether refusing takes more than the budget."""
        return _left(self._total, self._clock()) > self._most

    def wait(self, who: Who) -> float:
        """Seconds until this caller is within the fair share; 0 for most, always."""
        if who not in self._accounts:
            return 0.0
        now = self._clock()
        total = _left(self._total, now)
        if total <= self._most:
            return 0.0
        if now - self._share[1] > FRESH:
            self._reckon(now)
        amount, share = _left(self._accounts.get(who, _NOTHING), now), self._share[0]
        if amount <= share:
            return 0.0
        return SPAN * math.log(min(amount / share, total / self._most))

    def _reckon(self, now: float) -> None:
        """The share up to which all amounts together are within the budget; accounts that hold nothing are closed."""
        amounts = sorted(((_left(account, now), who) for who, account in self._accounts.items()), reverse=True)
        amounts = [each for each in amounts[: REMEMBERED // 2] if each[0] > 1e-6]
        self._accounts = {who: (amount, now) for amount, who in amounts}
        self._total = (sum(amount for amount, _ in amounts), now)
        left, share = self._most, math.inf
        for count in range(len(amounts), 0, -1):
            amount, equal = amounts[count - 1][0], left / count
            if amount > equal:
                share = equal
                break
            left -= amount
        self._share = (share, now)


_NOTHING = (0.0, 0.0)


def _left(account: tuple[float, float], now: float) -> float:
    amount, at = account
    return amount * math.exp((at - now) / SPAN) if amount else 0.0


class RefusalLimit:
    """The layer that holds requests and keeps the accounts; inside the one that answers with problems and headers."""

    def __init__(self, app: ASGIApp, *, service: str, budget: float) -> None:
        self._app = app
        self._service = service
        self._refusals = RefusalBudget(budget)
        self._held: dict[Who, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        request, who = context.in_scope(scope), _who(scope)
        if who[0] == ADDRESS and self._refusals.is_over():
            # Nobody waits for others behind the same address, and nobody is new with each new token.
            who = await _verified(scope) or who
        if late := await self._turn(who, request):
            TURNED_AWAY.labels(self._service).inc()
            slower = TooManyRequests(
                "Too much of what you sent lately had to be refused. Look at the answers, and come back after "
                "`Retry-After` seconds.",
                retry_after=late,
            )
            await problems.answer(slower, request.id)(scope, receive, send)
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await Metered(self._app(scope, receive, answer), request)
        finally:
            if request.refused or (400 <= status < 500 and status not in IN_ORDER):
                caller = request.caller
                self._refusals.charge(who if caller is None else (caller.issuer, caller.subject), request.spent)

    async def _turn(self, who: Who, request: context.RequestContext) -> float:
        """Hold the request until it is the caller's turn. 0 then; else the seconds after which it may be."""
        wait, held = self._refusals.wait(who), self._held.get(who, 0)
        if not wait or held >= MOST_HELD:
            return wait
        HELD.labels(self._service).inc()
        self._held[who] = held + 1
        request.allow(HOLD)
        try:
            until = time.monotonic() + HOLD
            while wait and (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(wait, left))  # also where it is in vain: who is answered at once comes at once
                wait = self._refusals.wait(who)
            return wait
        finally:
            if self._held[who] == 1:
                del self._held[who]
            else:
                self._held[who] -= 1


def _who(scope: Scope) -> Who:
    if (token := _token(scope)) and (caller := context.runtime_in(scope).tokens.remembered(token)) is not None:
        return caller.issuer, caller.subject
    client = scope.get("client")
    return ADDRESS, client[0] if client else ""


async def _verified(scope: Scope) -> Who | None:
    """Whose token it is, if it is good; it has not been seen by this process yet."""
    token = _token(scope)
    if not token:
        return None
    try:
        caller = await context.runtime_in(scope).tokens.verify(token)
    except Problem:
        return None
    return caller.issuer, caller.subject


def _token(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return given[0][len(b"bearer ") :].strip().decode("latin-1") if len(given) == 1 else ""
