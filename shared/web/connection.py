"""A connection of a client has bounds in time and bytes, whatever is or is not sent on it.

Head and body of an answer leave in one write: a system call and a packet less for every small answer. Everything else
is uvicorn's, which stops its clock at a connection's first byte, reads on for ever behind a refusal, and waits for ever
for a caller to take its answer. Its parser stays h11 (docs/adr/0020).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.web.received import Received

HEAD_IN = 10.0
"""Seconds in which the head of a request is there: the first one's from the connection on, else from its first byte."""
LINGER = 2.0
"""Seconds for which what still comes is thrown away after the last answer, so that its sender can read that."""
LINGER_BYTES = 256 * 1024
TAKEN_IN = 15.0
"""Seconds in which the last answer is taken, once the connection is to close."""
AT_ONCE = 16 * 1024
"""Bytes that are read from a connection at once; they are parsed before anybody is known."""
MOST = 800
"""Connections of one process; beyond them goes the one that is silent longest while nothing is answered on it."""


class Connection(H11Protocol):
    """One connection of a client."""

    _due: float | None = None
    """When what is waited for has to be there: a head, or the end of a body that nobody reads."""
    _unread = 0
    """Bytes that came of such a body."""
    heard = 0.0
    """When something last came, or it was made."""
    _broken = False
    """Whether what came is no HTTP: nothing that follows is looked at."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if hasattr(transport, "max_size"):  # asyncio's own, sixteen times as much
            transport.max_size = AT_ONCE
        self.received = self.conn._receive_buffer = Received()  # noqa: SLF001 - h11 has no other way to bound a head
        self.heard = self.loop.time()
        super().connection_made(_Outlet(transport, self.loop, self._still_arrives))
        self._wait(HEAD_IN)
        if len(self.connections) > MOST:
            everyone = cast("set[Connection]", self.connections)
            min((one for one in everyone if one.idle()), key=lambda one: one.heard).transport.abort()

    def idle(self) -> bool:
        """Whether nothing is being answered here, as on one that was just made."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        outlet: _Outlet = self.transport  # type: ignore[assignment]
        if outlet.is_closing():
            outlet.discard(data)
            return
        unread = self._is_unread()
        super().data_received(data)
        if outlet.is_closing():
            return
        if self._is_unread():
            self._unread += len(data)
            self._wait(LINGER)
            if self._unread > LINGER_BYTES:
                outlet.abort()
        elif self.conn.their_state is h11.IDLE:
            if unread:
                self._due, self._unread = None, 0
            self._wait(HEAD_IN)
        else:
            self._due = None

    def on_response_complete(self) -> None:
        self._due = None
        super().on_response_complete()
        if self._is_unread() and not self.transport.is_closing():
            self._wait(LINGER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_keepalive_if_required()
        self.transport.lost()  # type: ignore[attr-defined]
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        """Close the connection unless what is waited for comes in time, which uvicorn's own clock does not say."""
        if self._due is None:
            self._due = self.loop.time() + seconds
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_at(self._due, self.timeout_keep_alive_handler)

    def _still_arrives(self) -> bool:
        """Whether something is on its way that belongs to what was answered."""
        return self._broken or (
            self.cycle is not None and self.cycle.more_body and self.conn.their_state is not h11.IDLE
        )

    def _is_unread(self) -> bool:
        """Whether a request has its answer and still sends its body."""
        return self.cycle is not None and self.cycle.response_complete and self._still_arrives()


class _Outlet(asyncio.Transport):
    """Keeps the head of an answer until what follows it, or else until the loop's next turn.

    Closed while its peer still sends, it says that nothing more follows and throws away what comes, for a while: a
    connection that is cut at once takes the answer with it. Nor does it wait for ever until its peer has taken all.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, still_arrives: Callable[[], bool]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._still_arrives = still_arrives
        self._head = b""
        self._discarded = 0
        self._end: asyncio.TimerHandle | None = None

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._end is not None:
            return
        if self._head:
            data, self._head = self._head + data, b""
        elif bytes(data[:5]) == b"HTTP/":
            self._head = bytes(data)
            self._loop.call_soon(self._let_go)
            return
        self._transport.write(data)

    def _let_go(self) -> None:
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def close(self) -> None:
        if self.is_closing():
            return
        self._let_go()
        if self._still_arrives():
            self._transport.resume_reading()
            self._transport.write_eof()
            self._end = self._loop.call_later(LINGER, self.abort)
            return
        if self._transport.get_write_buffer_size():
            self._end = self._loop.call_later(TAKEN_IN, self.abort)
        self._transport.close()

    def discard(self, data: bytes) -> None:
        """Throw away what came after the end."""
        self._discarded += len(data)
        if self._discarded > LINGER_BYTES:
            self.abort()

    def abort(self) -> None:
        self._head = b""
        self._transport.abort()

    def lost(self) -> None:
        """The connection is gone."""
        if self._end is not None:
            self._end.cancel()

    def is_closing(self) -> bool:
        return self._end is not None or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
