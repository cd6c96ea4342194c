"""A change with an `Idempotency-Key` is made once and answered once: the same request is told again what it was told.

The key is its caller's and its operation's. What it came to is looked up before anybody asks whether the caller may:
it was answered to them already, so it is shown also to who may not do it any more. A refusal came to nothing and is not
kept, and what changed nothing only up to a number a day. No words lie in what is kept, only where they are in the
vault; words that were forgotten are null in an answer.

Where a change was written and its answer never kept, as after a crash, the route runs again on its streams as they came
to be by it (`RequestCommands`) and writes nothing. Where that is refused by now, the answer says that it took effect.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import reduce
from http import HTTPStatus
from operator import getitem
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.commands.idempotency import IdempotencyKeys
from shared.events.errors import KeyReused, NotShown, Problem
from shared.events.identity import Caller, community_id
from shared.log.keys import IdempotencyKey
from shared.log.port import Position
from shared.vault import Vault
from shared.web import context, problems
from shared.web.bodies import WRITES, replay
from shared.web.context import RequestContext
from shared.web.quota import IDLE_KEYS, Quota
from shared.web.runtime import Runtime, machine_clock

KEY = re.compile(r"[\x20-\x7e]{1,255}")
REPLAYED = (b"idempotent-replayed", b"true")
NONE = b"null"

NO_WORDS = frozenset({"status", "state", "roles", "tags", "kind", "medium", "visibility", "admission", "edited_by"})
"""Fields that hold no words of the vault, though somebody may have written just that; nothing in them is taken out."""

_IN_COMMUNITY = re.compile(r"^/v1/communities/([^/]+)")
_HOUR = timedelta(hours=1)

Path: TypeAlias = "tuple[str | int, ...]"
"""Names and numbers that lead into a value of JSON."""


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where an answer has words of the vault: the `path` to them in its body, and what is `inside` the vault's row."""

    path: Path
    community: UUID
    ref: UUID
    inside: Path


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer as it is kept, without words; its body is null where it has none. `positions` are by partition."""

    status: int
    body: msgspec.Raw
    places: tuple[Place, ...]
    headers: tuple[tuple[str, str], ...]
    tag: str | None
    positions: dict[int, int]


_ANSWERS = msgspec.json.Decoder(KeptAnswer)


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
            await _show(_ANSWERS.decode(kept.answer), request, runtime.vault, send)

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
        where = [community_id(within[1]) or within[1], path[within.end() :].lower()] if within else [path.lower()]
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
    return hmac.digest(caller.secret, b"idempotency" + _encoded(parts), "sha256")[:16]


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
        places: list[Place] = []
        if body and (words := _words(request)):
            without = _taken_out(msgspec.json.decode(body), words, (), places)
            body = msgspec.json.encode(without) if places else body
        own = [(name, value) for name, value in self._messages[0].get("headers", ()) if name != b"content-length"]
        return msgspec.json.encode(
            KeptAnswer(
                self.status,
                msgspec.Raw(body or NONE),
                tuple(places),
                tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in (*own, *request.headers)),
                request.tag,
                {where.partition: where.position for where in request.positions.values()},
            )
        )


def _words(request: RequestContext) -> dict[bytes, tuple[UUID, UUID, Path]]:
    """Where in the vault is what the request has looked at or written of it, by that and each of its parts."""
    found: dict[bytes, tuple[UUID, UUID, Path]] = {}
    for (community, ref), content in (request.words.seen if request.words else {}).items():
        found |= {part: (community, ref, inside) for part, inside in _parts(content, ())}
    return found


def _parts(value: Any, path: Path) -> Iterator[tuple[bytes, Path]]:
    if value and isinstance(value, str | list):
        yield _encoded(value), path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(inner, (*path, name))


def _encoded(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _taken_out(value: Any, words: Mapping[bytes, tuple[UUID, UUID, Path]], path: Path, places: list[Place]) -> Any:
    """The body without what is in the vault; where it was is noted in `places`."""
    if isinstance(value, str | list) and (found := words.get(_encoded(value))) is not None:
        places.append(Place(path, *found))
        return None
    if isinstance(value, dict):
        return {
            name: inner if name in NO_WORDS else _taken_out(inner, words, (*path, name), places)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_taken_out(inner, words, (*path, number), places) for number, inner in enumerate(value)]
    return value


async def _show(answer: KeptAnswer, request: RequestContext, vault: Vault, send: Send) -> None:
    """Answer as the first time, with the words as far as they are still there."""
    body = bytes(answer.body)
    if answer.places:
        body = msgspec.json.encode(await _filled_in(msgspec.json.decode(body), answer.places, vault))
    request.tag, request.headers[:] = answer.tag, [REPLAYED]
    request.positions = {partition: Position(partition, position) for partition, position in answer.positions.items()}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if body != NONE:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if body == NONE else body})


async def _filled_in(body: Any, places: Sequence[Place], vault: Vault) -> Any:
    """What was forgotten is null, or missing in a list."""
    refs: dict[UUID, set[UUID]] = {}
    for place in places:
        refs.setdefault(place.community, set()).add(place.ref)
    kept = {community: await vault.look(community, wanted) for community, wanted in refs.items()}
    for place in reversed(places):  # so that what is missing in a list moves nothing that is still to come
        *above, last = place.path
        holder, content = reduce(getitem, above, body), kept[place.community].get(place.ref)
        if content is not None:
            holder[last] = reduce(getitem, place.inside, content)
        elif isinstance(last, int):
            del holder[last]
    return body
