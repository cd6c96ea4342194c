"""What is no HTTP is refused in the same shape as everything else, before there is a request to speak of."""

from __future__ import annotations

from http import HTTPStatus

import h11

from shared.errors import BadRequest, HeadTooLarge, Problem, TargetTooLong
from shared.http import problems
from shared.http.bodies import LARGEST_HEAD
from shared.http.connection import Connection

_NO_HTTP = BadRequest("This is no HTTP/1.1 request.")
_LONG_LINE = TargetTooLong(f"The request's line is longer than {LARGEST_HEAD} bytes. Shorten the address.")
_LONG_HEAD = HeadTooLarge(f"The request's line and headers are longer than {LARGEST_HEAD} bytes.")


class Wire(Connection):
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
        received, _ = self.conn.trailing_data
        if len(received) <= LARGEST_HEAD:
            return _NO_HTTP
        return _LONG_HEAD if b"\n" in received[:LARGEST_HEAD] else _LONG_LINE
