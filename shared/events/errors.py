"""Errors carry their HTTP status; one handler renders them as RFC 9457 problem details."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote


class Problem(Exception):
    """What went wrong, in words a caller can act on.

    `detail` says what happened and what to do. What is at fault is named by `pointer`, a JSON pointer (RFC 6901) into
    the body, "" for the whole of it, or by `query` or `header`, the name of a parameter. `code` is stable and becomes
    the problem's `type`.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        pointer: str | None = None,
        query: str | None = None,
        header: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.retry_after = retry_after
        self._place: dict[str, str] | None = None
        if pointer is not None:
            self._place = {"pointer": pointer}
        elif query is not None or header is not None:
            self._place = {"parameter": query or header or "", "in": "header" if query is None else "query"}

    def body(self) -> dict[str, object]:
        """The problem as RFC 9457 has it: `type`, `title`, `status`, `detail`, and `errors` by field."""
        problem: dict[str, object] = {
            "type": f"urn:guildhall:problem:{quote(self.code)}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self._place is not None:
            problem["errors"] = [{**self._place, "detail": self.detail}]
        return problem


class BadRequest(Problem):
    status, code, title = 400, "bad-request", "Bad request"


class Unauthenticated(Problem):
    status, code, title = 401, "unauthenticated", "Authentication required"


class InvalidToken(Unauthenticated):
    """There is a token, and it is not good. Why is for our log: who tries tokens learns the same from every answer."""

    code, title = "invalid-token", "The token is not accepted"

    def __init__(self, reason: str) -> None:
        super().__init__("The access token is not one for this API, or is no longer valid. Get a new one.")
        self.reason = reason


class Forbidden(Problem):
    status, code, title = 403, "forbidden", "Not permitted"


class InsufficientScope(Forbidden):
    """The token is good and lacks a scope (RFC 6750)."""

    def __init__(self, detail: str, scope: str) -> None:
        super().__init__(detail)
        self.scope = scope


class NotFound(Problem):
    status, code, title = 404, "not-found", "Not found"


class MethodNotAllowed(Problem):
    status, code, title = 405, "method-not-allowed", "Method not allowed"


class NotAcceptable(Problem):
    status, code, title = 406, "not-acceptable", "Not acceptable"


class TooSlow(Problem):
    """What was announced did not arrive in the time that is given for it."""

    status, code, title = 408, "request-timeout", "The request did not arrive in time"


class Conflict(Problem):
    status, code, title = 409, "conflict", "In conflict with the current state"


class Taken(Conflict):
    """A name that is in use: the answer says so of what the caller may not see, so whoever probes is charged for it."""


class PreconditionFailed(Problem):
    status, code, title = 412, "precondition-failed", "The resource has changed"


class TooLarge(Problem):
    status, code, title = 413, "too-large", "Too large"


class TargetTooLong(Problem):
    status, code, title = 414, "target-too-long", "Address too long"


class UnsupportedMedia(Problem):
    status, code, title = 415, "unsupported-media-type", "Unsupported media type"


class ExpectationFailed(Problem):
    status, code, title = 417, "expectation-failed", "Expectation failed"


class TooManyRequests(Problem):
    status, code, title = 429, "too-many-requests", "Too many requests"


class HeadTooLarge(Problem):
    status, code, title = 431, "head-too-large", "Request header fields too large"


class Invalid(Problem):
    status, code, title = 422, "invalid", "Invalid input"


class KeyReused(Problem):
    """An `Idempotency-Key`, or the source of a backfill's line, came again with other content.

    `what` is what it was used for before.
    """

    status, code, title = 422, "idempotency-key-reused", "Used for something else before"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"Another {what} was made with this Idempotency-Key or source. Use a new one for a new {what}."
        )


class AlreadyMade(Conflict):
    """The same request, with the same `Idempotency-Key`, took effect at the same moment."""

    code, title = "already-made", "The same request was carried out at the same moment"

    def __init__(self) -> None:
        super().__init__(
            "The same request took effect at the same moment. Send it again for its answer.", retry_after=1
        )


class NotShown(Conflict):
    """The request took effect when it came before, was not answered, and what would answer it now is refused."""

    code, title = "answer-not-shown", "It took effect, and cannot be shown any more"

    def __init__(self) -> None:
        super().__init__(
            "This request took effect when it came before. Its answer was lost and cannot be shown any more, since "
            "what it was about was changed or taken away since, or you may not do it any more."
        )


class Erased(Conflict):
    """Words about somebody whose words were erased."""

    code, title = "erased", "What they wrote was erased"

    def __init__(self) -> None:
        super().__init__(
            "These words are by or about somebody whose words were erased at their wish, and no more of them are kept. "
            "Nothing was written. What is done without words still can be."
        )


class Unavailable(Problem):
    """A part this service stands on does not answer; whether anything was written may not be known.

    Safe to repeat, a POST with the same `Idempotency-Key`.
    """

    status, code, title = 503, "unavailable", "Temporarily unavailable"


class Behind(Unavailable):
    """A view did not reach the position a caller asked for in the time it allowed."""

    code, title = "behind", "The view is behind"
