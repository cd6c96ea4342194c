"""A change with an `Idempotency-Key` is made once and answered once: the same request is told again what it was told.

The key is its caller's and its operation's. What it came to is looked up before anybody asks whether the caller may:
that it was done is told also to who may not do it any more, without a text that they may not read now
(`kept_answers.py`). A refusal came to nothing and is not kept, and what changed nothing only up to a number a day.

Where a change was written and its answer never kept, as after a crash, the route runs again on its streams as they came
to be by it (`RequestCommands`) and writes nothing. Where that is refused by now, the answer says that it took effect.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.commands.idempotency import IdempotencyKeys
from shared.events.errors import KeyReused, NotShown, Problem
from shared.events.identity import Caller, community_id, one_writing
from shared.log.keys import IdempotencyKey
from shared.web import context, problems
from shared.web.bodies import WRITES, replay
from shared.web.context import RequestContext
from shared.web.kept_answers import ANSWERS, NONE, encoded, kept_answer, may_read, show
from shared.web.quota import IDLE_KEYS, Quota
from shared.web.runtime import Runtime, machine_clock

KEY = re.compile(r"[\x20-\x7e]{1,255}")
_IN_COMMUNITY = re.compile(r"^/v1/communities/([^/]+)")
_HOUR = timedelta(hours=1)


class Idempotency:
    """Keeps what requests came to for `lifetime`. `authenticate` says who sends one, or raises."""

    def __init__(
        self, app: ASGIApp, *, authenticate: Callable[[Request], Awaitable[Caller]], lifetime: timedelta
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._lifetime = lifetime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = await self._key(scope) if scope["type"] == "http" else None
        if known is None:
            await self._app(scope, receive, send)
            return
        key, caller = known
        request, runtime = context.in_scope(scope), context.runtime_in(scope)
        keys, response, mine = IdempotencyKeys(runtime.engine), _Response(), b""
        if (kept := await keys.find(key)) is None:
            request.key = key
            await self._app(scope, replay(request.body, receive), response.take)
            made, wrote = response.status < HTTPStatus.BAD_REQUEST, request.key is None
            if made and (wrote or await self._may_keep(caller, runtime)):
                kept = await keys.keep(key, mine := response.kept(request))
            elif response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                kept = await keys.find(key)  # the same request may have come at the same moment, and been first
            if kept is None:
                await response.send(send)
                return
        if kept.fingerprint != key.fingerprint:
            await problems.answer(KeyReused("request"), request.id)(scope, receive, send)
            return
        if kept.answer is None:
            request.answer_again(kept.versions)
            response = _Response()
            await self._app(scope, replay(request.body, receive), response.take)
            if response.refused:
                request.refused = False
                await problems.answer(NotShown(), request.id)(scope, receive, send)
                return
            if response.status >= HTTPStatus.BAD_REQUEST:
                await response.send(send)
                return
            kept = await keys.keep(key, mine := response.kept(request))
        assert kept.answer is not None
        if kept.answer == mine:
            await response.send(send)
        else:
            answer = ANSWERS.decode(kept.answer)
            try:
                reads = await may_read(answer, caller, runtime)
            except Problem as problem:  # nobody can tell now
                await problems.answer(problem, request.id)(scope, receive, send)
                return
            await show(answer, request, caller, runtime.vault if reads else None, send)

    async def _may_keep(self, caller: Caller, runtime: Runtime) -> bool:
        """Whether one more answer is kept of a caller who changed nothing. What is written has bounds of its own."""
        async with Quota(runtime.engine, caller, IDLE_KEYS, runtime.settings.idle_keys) as quota:
            return await quota.spend()

    async def _key(self, scope: Scope) -> tuple[IdempotencyKey, Caller] | None:
        """What the request is known by, and who sends it; None without a key, or where a route says what is wrong."""
        given = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        request = context.in_scope(scope)
        if len(given) != 1 or request.streams or scope["method"] not in WRITES:
            return None
        if not KEY.fullmatch(value := given[0].decode("latin-1")):
            return None
        try:
            caller = await self._authenticate(Request(scope))
        except Problem:
            return None
        path = scope["path"]
        within = _IN_COMMUNITY.match(path)
        where = (
            [community_id(within[1]) or within[1], one_writing(path[within.end() :])] if within else [one_writing(path)]
        )
        said = [scope["query_string"].decode("latin-1"), msgspec.json.decode(request.body or NONE)]
        key = IdempotencyKey(
            UUID(bytes=_digest(caller, "key", caller.issuer, caller.subject, scope["method"], *where, value)),
            _digest(caller, "request", *said),
            # Rounded, since an anonymous change does not say to the second when it was made.
            machine_clock().replace(minute=0, second=0, microsecond=0) + self._lifetime + _HOUR,
        )
        return key, caller


def _digest(caller: Caller, *parts: Any) -> bytes:
    """Nobody without the installation's secret can compute it, or tell from it what the parts are."""
    return hmac.digest(caller.secret, b"idempotency" + encoded(parts), "sha256")[:16]


class _Response:
    """What the application answers, held back until it is kept."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def take(self, message: Message) -> None:
        self._messages.append(message)

    async def send(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    @property
    def status(self) -> int:
        return int(self._messages[0]["status"])

    @property
    def refused(self) -> bool:
        """Whether it is a refusal that stays one when the request comes again."""
        later = any(name == b"retry-after" for name, _ in self._messages[0].get("headers", ()))
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR and not later

    def kept(self, request: RequestContext) -> bytes:
        """The answer as it is kept."""
        body = b"".join(message.get("body", b"") for message in self._messages[1:])
        own = [(name, value) for name, value in self._messages[0].get("headers", ()) if name != b"content-length"]
        return kept_answer(self.status, own, body, request)
