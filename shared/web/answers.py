"""What an answer says of itself: whom it may be kept by, what it depends on; and what is said instead of it.

An answer to GET is given where its preconditions hold (RFC 9110, 13.2.2) and the caller takes its media type; else a
304, a 412 or a 406 is. Answers are the caller's own: kept by nobody, or by the caller's own cache that asks each time
whether the tag still holds (RFC 9111). Only the documents are the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from shared.events.errors import NotAcceptable, PreconditionFailed, Problem
from shared.web.context import DOCUMENTS, RequestContext
from shared.web.negotiation import quality

Headers = Iterable[tuple[bytes, bytes]]

DOCUMENT_AGE = 300
"""Seconds for which a document may be shown without asking again."""

_OF_CONTENT = frozenset((b"content-type", b"content-length", b"content-disposition"))
_VARY = (b"vary", b"Accept, Authorization")
_NO_PARTS = (b"accept-ranges", b"none")
_DOCUMENT = [(b"cache-control", f"public, max-age={DOCUMENT_AGE}".encode()), (b"vary", b"Accept"), _NO_PARTS]
_REFUSED = [_VARY]  # problems say themselves that nobody keeps them
_CHANGED = [_VARY, (b"cache-control", b"no-store")]
_SHOWN = [_VARY, (b"cache-control", b"no-store"), _NO_PARTS]
_SHOWN_WITH_TAG = [_VARY, (b"cache-control", b"private, no-cache"), _NO_PARTS]


def instead(request: RequestContext, headers: Headers) -> Problem | HTTPStatus | None:
    """What is said in place of a 200 to a GET; None for the 200 itself."""
    if request.accept is not None and (kind := _kind(headers)) and quality(kind, request.accept) == 0:
        return NotAcceptable(f"This is shown as {kind}, which `Accept` rules out.", header="Accept")
    condition = request.condition
    if condition is not None and condition.match is not None and not condition.match.any:
        seen = condition.match.strong
        if request.tag is None or not (request.tag in seen or request.tag.partition("-")[0] in seen):
            return PreconditionFailed("What is shown is not what `If-Match` names.", header="If-Match")
    if condition is not None and condition.none_match is not None:
        seen = condition.none_match.all
        if condition.none_match.any or request.tag in seen:
            return HTTPStatus.NOT_MODIFIED
    return None


def _kind(headers: Headers) -> str:
    found = next((value for name, value in headers if name == b"content-type"), b"")
    return found.partition(b";")[0].strip().lower().decode("latin-1")


def without_content(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that has no content: none that describe one."""
    return [(name, value) for name, value in headers if name not in _OF_CONTENT]


def about(request: RequestContext, path: str, status: int) -> list[tuple[bytes, bytes]]:
    """Who may keep the answer and what it depends on."""
    if status >= HTTPStatus.BAD_REQUEST:
        return _REFUSED
    if not request.reads:
        return _CHANGED
    if path in DOCUMENTS:
        return _DOCUMENT
    return _SHOWN if request.tag is None else _SHOWN_WITH_TAG
