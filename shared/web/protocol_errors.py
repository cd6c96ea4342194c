"""What is no HTTP is refused in the same shape as everything else, before there is a request to speak of."""

from __future__ import annotations

from http import HTTPStatus

import h11

from shared.events.errors import BadRequest, HeadTooLarge, Problem, TargetTooLong
from shared.web import problems
from shared.web.bodies import LARGEST_HEAD
from shared.web.connection import Connection
from shared.web.received import MOST_HEADERS

_NO_HTTP = BadRequest("This is no HTTP/1.1 request.")
_NO_BODY = BadRequest("The body is not what its head says, or is in more chunks than its size needs.", pointer="")
_LONG_LINE = TargetTooLong(f"The request's line is longer than {LARGEST_HEAD} bytes. Shorten the address.")
_LONG_HEAD = HeadTooLarge(f"The request's line and headers are longer than {LARGEST_HEAD} bytes.")
_MANY_LINES = HeadTooLarge(f"The headers, or the trailers, are more than {MOST_HEADERS}.")


class ProtocolErrors(Connection):
    """uvicorn's protocol on h11, answering as problem details (RFC 9457). It closes the connection afterwards."""

    def send_400_response(self, msg: str) -> None:
        self._broken = True
        if self.cycle is not None and not self.cycle.response_complete:  # the request is over for whoever answers it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        refusal = self._refusal()
        body = problems.body_of(refusal, None)
        headers = {**problems.headers_of(refusal), "content-length": str(len(body)), "connection": "close"}
        reason = HTTPStatus(refusal.status).phrase.encode()
        events = (
            h11.Response(status_code=refusal.status, headers=list(headers.items()), reason=reason),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _refusal(self) -> Problem:
        """What is wrong with what was received and is not understood."""
        if self.received.too_many_lines:
            return _MANY_LINES
        if self.cycle is not None and self.cycle.more_body:
            return _NO_BODY
        received, _ = self.conn.trailing_data
        if len(received) <= LARGEST_HEAD:
            return _NO_HTTP
        return _LONG_HEAD if b"\n" in received[:LARGEST_HEAD] else _LONG_LINE
