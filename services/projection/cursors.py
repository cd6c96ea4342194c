"""Lists that are computed, not selected, go on after what a cursor says; it holds no secret and grants nothing."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec
from fastapi import Request

from shared.events.errors import BadRequest
from shared.web.paging import link_next

T = TypeVar("T", bound=msgspec.Struct)


def opened(cursor: str, kind: type[T]) -> T:
    """What a cursor says. Raises `BadRequest` for one that no answer gave."""
    try:
        return msgspec.json.decode(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The `cursor` is not one that this list gave. Begin without it.", query="cursor") from error


def following(request: Request, content: msgspec.Struct) -> str:
    """The cursor of the next page; the answer gets its `Link` header (RFC 8288)."""
    cursor = base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()
    link_next(request, cursor)
    return cursor
