"""What an answer comes to when it is kept, and what is shown of it when its request comes again.

No words lie in what is kept, only where they are in the vault, and it is shown with those that stand, and with those
that its caller wrote themselves, until they are forgotten. Who may not read
now what it showed then is told its status, its headers, and of its body what is no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec
from starlette.types import Send

from shared.events.identity import Caller
from shared.log.port import Position
from shared.replicas.standing import Community, Standing
from shared.vault import Vault
from shared.web.access.policy import Permission, Requirement, refusal
from shared.web.context import RequestContext
from shared.web.runtime import Runtime

REPLAYED = (b"idempotent-replayed", b"true")
NONE = b"null"

NO_WORDS = frozenset({"status", "state", "roles", "tags", "kind", "medium", "visibility", "admission", "edited_by"})
"""Fields that hold no words of the vault, though somebody may have written just that; nothing in them is taken out."""

_NO_TEXT: Final = NO_WORDS - {"tags"} | {"posting", "target_kind"}
"""Fields that hold nothing that anybody wrote."""
_SAYS_NOTHING: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-][\d:]+))?")
"""An id, a day, a time."""

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
    where: UUID | None = None
    """The community that it shows something of."""
    asked: Permission = Permission.READ
    """What its route asks there."""
    or_operator: bool = False
    location: str | None = None


ANSWERS: Final = msgspec.json.Decoder(KeptAnswer)

_TO_READ: Final[Mapping[Permission, Permission]] = {
    Permission.FOUND: Permission.READ,
    Permission.CONTRIBUTE: Permission.READ,
    Permission.ADMINISTER: Permission.READ,
    Permission.OWN: Permission.READ,
    Permission.JOIN: Permission.ACQUAINTED,
}
"""What reading an answer asks, where that is not what making the change asks: who contributes or
administers is shown what all are; a moderator sees what others do not."""


def kept_answer(status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, request: RequestContext) -> bytes:
    """The answer as it is kept; `headers` are the route's own, without the length."""
    places: list[Place] = []
    if body and (words := _words(request)):
        without = _taken_out(msgspec.json.decode(body), words, (), places)
        body = msgspec.json.encode(without) if places else body
    me = request.me
    return msgspec.json.encode(
        KeptAnswer(
            status,
            msgspec.Raw(body or NONE),
            tuple(places),
            tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in (*headers, *request.headers)),
            request.tag,
            {where.partition: where.position for where in request.positions.values()},
            request.founded if me is None else me.community.id,
            Permission.READ if me is None else me.asked.permission,
            me is not None and me.asked.or_operator,
            request.location,
        )
    )


async def may_read(answer: KeptAnswer, caller: Caller, runtime: Runtime) -> bool:
    """Whether the caller may read now what the answer showed. Raises `Unavailable` where that cannot be known."""
    if bytes(answer.body) == NONE:  # nothing is shown
        return True
    if answer.where is None:
        return False
    permission = _TO_READ.get(answer.asked, answer.asked)
    asked = Requirement(permission, even_archived=True, or_operator=answer.or_operator)

    def may(community: Community, standing: Standing) -> bool:
        return refusal(asked, caller.scopes, community, standing) is None

    # As of now, not of the request's arrival: what it repeats may have let its caller in a moment after that.
    found = await runtime.directory.look_up(answer.where, caller.member_in(answer.where), may, caller=caller)
    return found is not None and may(*found)


def _words(request: RequestContext) -> dict[bytes, tuple[UUID, UUID, Path]]:
    """Where in the vault is what the request has looked at or written of it, by that and each of its parts."""
    found: dict[bytes, tuple[UUID, UUID, Path]] = {}
    for (community, ref), content in (request.words.seen if request.words else {}).items():
        found |= {part: (community, ref, inside) for part, inside in _parts(content, ())}
    return found


def _parts(value: Any, path: Path) -> Iterator[tuple[bytes, Path]]:
    if value and isinstance(value, str | list):
        yield encoded(value), path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(inner, (*path, name))


def encoded(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _taken_out(value: Any, words: Mapping[bytes, tuple[UUID, UUID, Path]], path: Path, places: list[Place]) -> Any:
    """The body without what is in the vault; where it was is noted in `places`."""
    if isinstance(value, str | list) and (found := words.get(encoded(value))) is not None:
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


async def show(answer: KeptAnswer, request: RequestContext, caller: Caller, vault: Vault | None, send: Send) -> None:
    """Answer as the first time: of others' words with those that still stand; without a vault, without any text."""
    body = bytes(answer.body)
    if vault is None:
        body = msgspec.json.encode(_without_texts(msgspec.json.decode(body)))
    elif answer.places:
        body = msgspec.json.encode(await _filled_in(msgspec.json.decode(body), answer.places, caller, vault))
    request.tag, request.location, request.headers[:] = answer.tag, answer.location, [REPLAYED]
    request.positions = {partition: Position(partition, position) for partition, position in answer.positions.items()}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if body != NONE:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if body == NONE else body})


def _without_texts(value: Any) -> Any:
    """The body with null for what somebody may have written, and without it in a list."""
    if isinstance(value, str):
        return value if _SAYS_NOTHING.fullmatch(value) else None
    if isinstance(value, dict):
        return {name: inner if name in _NO_TEXT else _without_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [kept for inner in value if (kept := _without_texts(inner)) is not None]
    return value


async def _filled_in(body: Any, places: Sequence[Place], caller: Caller, vault: Vault) -> Any:
    """What somebody else wrote and stands no more is null, or missing in a list; so is what was forgotten."""
    refs: dict[UUID, set[UUID]] = {}
    for place in places:
        refs.setdefault(place.community, set()).add(place.ref)
    kept = {
        community: await vault.standing(community, wanted, caller.member_in(community))
        for community, wanted in refs.items()
    }
    for place in reversed(places):  # so that what is missing in a list moves nothing that is still to come
        *above, last = place.path
        holder, content = reduce(getitem, above, body), kept[place.community].get(place.ref)
        if content is not None:
            holder[last] = reduce(getitem, place.inside, content)
        elif isinstance(last, int):
            del holder[last]
    return body
