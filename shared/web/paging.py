"""Lists go by key, not by number: a cursor says after which row to go on, and only who issued it can make one."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from shared.events.errors import BadRequest
from shared.projections.freshness import Freshness
from shared.vault import length_of
from shared.web import context
from shared.web.queries import Queries

T = TypeVar("T")
Direction = Literal["asc", "desc"]
SortOrder = Sequence[tuple[sa.ColumnElement[Any], Direction]]

_MAC = 16

MOST_WORDS = 1_000_000
"""The bytes of words on one page, as JSON has them; one item may be alone with more."""


class Listing(BaseModel, Generic[T]):
    """A page of a list. `next` is the cursor of the following page, null on the last one."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    items: list[T]
    next: str | None = Field(None, description="Cursor of the next page; null on the last one.")
    freshness: Freshness | None = Field(None, description="How far the view was that answered.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page a caller asks for, of which list: a cursor is good for the same path and filters only."""

    limit: int
    cursor: str | None
    request: Request
    secret: bytes


async def page_request(
    request: Request,
    limit: Annotated[
        int, Query(ge=1, le=200, description="At most so many items; fewer where their words pass a megabyte.")
    ] = 50,
    cursor: Annotated[
        str | None, Query(max_length=2_000, description="`next` of the page before; leave it out for the first.")
    ] = None,
) -> PageRequest:
    secret = context.runtime_of(request).settings.cursor_secret.get_secret_value().encode()
    return PageRequest(limit, cursor, request, secret)


Page = Annotated[PageRequest, Depends(page_request)]


async def page(
    db: Queries,
    select: sa.Select[Any] | Sequence[sa.Select[Any]],
    order: SortOrder,
    page: PageRequest,
    words: Sequence[sa.ColumnElement[Any]] = (),
) -> tuple[Sequence[sa.Row[Any]], str | None]:
    """One page of a select, and the cursor of the next or None; the answer gets its `Link` header.

    Of several selects of the same columns, which share no row, it is a page of all; each is read by its own index, a
    page at most. `order` names columns that are never null and together unique, each with its direction. They are added
    to the rows behind the select's own columns. `words` names the columns that have words, or refer to words in the
    vault: the page ends before the item with which they would pass `MOST_WORDS`. Raises `BadRequest` naming `cursor`
    for one that was not issued here.
    """
    bound = _context(page.request, order)
    after = [] if page.cursor is None else [_after(order, _open(page.cursor, bound, page.secret, order))]
    keys = [column.label(f"_key_{index}") for index, (column, _) in enumerate(order)]
    size = sum((_size(column) for column in words), sa.literal(0)).label("_size")
    parts = [
        _first(part.where(*after).add_columns(size, *keys), order, page.limit + 1)
        for part in ([select] if isinstance(select, sa.Select) else select)
    ]
    statement = parts[0]
    if len(parts) > 1:
        merged = sa.union_all(*parts).subquery("merged")
        ways = [(merged.c[key.name], direction) for key, (_, direction) in zip(keys, order, strict=True)]
        statement = _first(sa.select(merged), ways, page.limit + 1)
    rows = (await db.execute(statement)).all()
    fitting = _fitting([row[-len(keys) - 1] for row in rows[: page.limit]])
    if len(rows) <= fitting:
        return rows, None
    rows = rows[:fitting]
    following = _seal(list(rows[-1])[-len(keys) :], bound, page.secret)
    link_next(page.request, following)
    return rows, following


def page_of(ids: Iterable[UUID], page: PageRequest) -> tuple[Sequence[UUID], str | None]:
    """As `page`, of ids that are at hand, in their order."""
    order: SortOrder = [(sa.column("id", sa.Uuid), "asc")]
    bound = _context(page.request, order)
    after = None if page.cursor is None else _open(page.cursor, bound, page.secret, order)[0]
    left = sorted(known for known in ids if after is None or known > after)
    if len(left) <= page.limit:
        return left, None
    shown = left[: page.limit]
    following = _seal(shown[-1:], bound, page.secret)
    link_next(page.request, following)
    return shown, following


def _size(column: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    if column.type.python_type is UUID:
        return length_of(column)
    return sa.func.coalesce(sa.func.octet_length(sa.cast(sa.func.to_json(column), sa.Text)), 0)


def _fitting(sizes: Sequence[int]) -> int:
    """How many of the items with those sizes a page has: at least the first."""
    together = accumulate(sizes)
    return max(1, sum(size <= MOST_WORDS for size in together))


def _first(select: sa.Select[Any], order: SortOrder, count: int) -> sa.Select[Any]:
    ordered = (column.desc() if direction == "desc" else column.asc() for column, direction in order)
    return select.order_by(*ordered).limit(count)


def _context(request: Request, order: SortOrder) -> bytes:
    """What a cursor is bound to: the list, its filters, its order."""
    filters = sorted((k, v) for k, v in request.query_params.multi_items() if k not in {"cursor", "limit"})
    return msgspec.json.encode([request.url.path, filters, [[str(column), way] for column, way in order]])


def link_next(request: Request, cursor: str) -> None:
    """Send where the next page is, as the answer's `Link` (RFC 8288): the same address with another cursor."""
    others = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    query = urlencode([*others, ("cursor", cursor)], quote_via=quote)  # a plus is no space here
    target = f"{quote(request.url.path)}?{query}"
    context.of(request).headers.append((b"link", f'<{target}>; rel="next"'.encode("ascii")))


def _after(order: SortOrder, values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """The rows behind those values: a tuple comparison where every column goes the same way, which an index serves."""
    columns = [column for column, _ in order]
    bounds = [sa.literal(value, column.type) for column, value in zip(columns, values, strict=True)]
    ways = {direction for _, direction in order}
    if len(ways) == 1:
        left, right = sa.tuple_(*columns), sa.tuple_(*bounds)
        return left > right if ways == {"asc"} else left < right
    alternatives = []
    for index, (column, direction) in enumerate(order):
        same = [columns[i] == bounds[i] for i in range(index)]
        beyond = column > bounds[index] if direction == "asc" else column < bounds[index]
        alternatives.append(sa.and_(*same, beyond))
    return sa.or_(*alternatives)


def _seal(values: Sequence[Any], bound: bytes, secret: bytes) -> str:
    payload = msgspec.json.encode([str(v) if isinstance(v, UUID) else v for v in values])
    return base64.urlsafe_b64encode(_mac(payload, bound, secret) + payload).rstrip(b"=").decode()


def _open(cursor: str, bound: bytes, secret: bytes, order: SortOrder) -> list[Any]:
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        sealed = b""
    mac, payload = sealed[:_MAC], sealed[_MAC:]
    if not hmac.compare_digest(mac, _mac(payload, bound, secret)):
        raise BadRequest("The `cursor` is not one of this list with these filters. Begin without it.", query="cursor")
    values = msgspec.json.decode(payload)
    return [_typed(value, column) for value, (column, _) in zip(values, order, strict=True)]


def _typed(value: Any, column: sa.ColumnElement[Any]) -> Any:
    kind = column.type.python_type
    if kind is UUID:
        return UUID(value)
    return datetime.fromisoformat(value) if kind is datetime else value


def _mac(payload: bytes, bound: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, len(bound).to_bytes(4) + bound + payload, "sha256")[:_MAC]
