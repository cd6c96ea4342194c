"""What is no HTTP is refused in the same shape as everything else, before there is a request to speak of."""

from __future__ import annotations

import h11

from shared.errors import BadRequest
from shared.http import problems
from shared.http.bodies import LARGEST_HEAD
from shared.http.connection import Connection

_REFUSAL = BadRequest(f"This is no HTTP/1.1 request, or its line and headers are longer than {LARGEST_HEAD} bytes.")


class Wire(Connection):
    """uvicorn's protocol on h11, answering as problem details (RFC 9457). It closes the connection afterwards."""

    def send_400_response(self, msg: str) -> None:
        body = problems.body_of(_REFUSAL, None)
        headers = {**problems.headers_of(_REFUSAL), "content-length": str(len(body)), "connection": "close"}
        events = (
            h11.Response(status_code=_REFUSAL.status, headers=list(headers.items()), reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
