"""Lists go by key, not by number: a cursor says after which row to go on, and only who issued it can make one."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

import msgspec
import sqlalchemy as sa
from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import BadRequest
from shared.http import context
from shared.http.reading import Reading
from shared.views.freshness import Freshness

T = TypeVar("T")
Direction = Literal["asc", "desc"]
Order = Sequence[tuple[sa.ColumnElement[Any], Direction]]

_MAC = 16


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
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many items.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=2_000, description="`next` of the page before; leave it out for the first.")
    ] = None,
) -> PageRequest:
    secret = context.runtime_of(request).settings.cursor_secret.get_secret_value().encode()
    return PageRequest(limit, cursor, request, secret)


Page = Annotated[PageRequest, Depends(page_request)]


async def page(
    db: Reading, select: sa.Select[Any], order: Order, page: PageRequest
) -> tuple[Sequence[sa.Row[Any]], str | None]:
    """One page of a select, and the cursor of the next or None; the answer gets its `Link` header.

    `order` names columns that are never null and together unique, each with its direction. They are added to the
    rows behind the select's own columns. Raises `BadRequest` naming `cursor` for one that was not issued here.
    """
    bound = _context(page.request, order)
    if page.cursor is not None:
        select = select.where(_after(order, _open(page.cursor, bound, page.secret, order)))
    keys = [column.label(f"_key_{index}") for index, (column, _) in enumerate(order)]
    statement = select.add_columns(*keys).order_by(
        *(column.desc() if direction == "desc" else column.asc() for column, direction in order)
    )
    rows = (await db.execute(statement.limit(page.limit + 1))).all()
    if len(rows) <= page.limit:
        return rows, None
    rows = rows[: page.limit]
    following = _seal(list(rows[-1])[-len(keys) :], bound, page.secret)
    link_next(page.request, following)
    return rows, following


def _context(request: Request, order: Order) -> bytes:
    """What a cursor is bound to: the list, its filters, its order."""
    filters = sorted((k, v) for k, v in request.query_params.multi_items() if k not in {"cursor", "limit"})
    return msgspec.json.encode([request.url.path, filters, [[str(column), way] for column, way in order]])


def link_next(request: Request, cursor: str) -> None:
    """Send where the next page is, as the answer's `Link` (RFC 8288): the same address with another cursor."""
    others = [(k, v) for k, v in request.query_params.multi_items() if k != "cursor"]
    query = urlencode([*others, ("cursor", cursor)], quote_via=quote)  # a plus is no space here
    target = f"{quote(request.url.path)}?{query}"
    context.of(request).headers.append((b"link", f'<{target}>; rel="next"'.encode("ascii")))


def _after(order: Order, values: Sequence[Any]) -> sa.ColumnElement[bool]:
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


def _open(cursor: str, bound: bytes, secret: bytes, order: Order) -> list[Any]:
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
