"""A TCP proxy that can be hurt: it cuts, delays or swallows what passes through it, and can be mended.

Swallowing is a black hole without RST: connections stay, new ones are accepted, nothing arrives on either side, not
even that the other one has gone; once mended, what was held goes on its way, as retransmission would have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOPBACK = "127.0.0.1"


class Proxy:
    """Listens on `port` and passes on to `upstream`, both on the loopback. `start` before use, `close` at the end."""

    def __init__(self, port: int, upstream: int) -> None:
        self.port = port
        self.upstream = upstream
        self.seconds = 0.0
        self.swallowing = False
        self.cutting = False
        self.sides: set[_Side] = set()
        self._held: list[Callable[[], None]] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Client(self), LOOPBACK, self.port)

    async def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Reset every connection, and every new one, until mended."""
        self.cutting, self.swallowing = True, False
        self._held.clear()
        for side in tuple(self.sides):
            side.abort()

    def delay(self, seconds: float) -> None:
        """Let everything come so much later, in both directions."""
        self.seconds = seconds

    def swallow(self) -> None:
        """Let nothing through."""
        self.swallowing = True

    def mend(self) -> None:
        """From here on everything passes; what was held goes first."""
        self.seconds, self.swallowing, self.cutting = 0.0, False, False
        held, self._held = self._held, []
        for act in held:
            act()

    def soon(self, act: Callable[[], None]) -> None:
        """Do this to the other side now, later, or when mended, in the order in which it was asked."""
        if self.swallowing:
            self._held.append(act)
        elif self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, act)
        else:
            act()


class _Side(asyncio.Protocol):
    """One end of a connection through the proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.peer: _Side | None = None
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        """What came before the other end was open: before 3.11.3 a transport that just begins cannot be paused."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.proxy.sides.add(self)

    def data_received(self, data: bytes) -> None:
        self.proxy.soon(lambda: self._pass_on(data))

    def _pass_on(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)
        else:
            self.early.append(data)

    def connection_lost(self, _: Exception | None) -> None:
        self.proxy.sides.discard(self)
        self.proxy.soon(self._hang_up)

    def _hang_up(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.resume_reading()


class _Client(_Side):
    """The end that faces whoever connects; it opens the other one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self.proxy.cutting:
            self.abort()
            return
        assert self.transport is not None
        self.transport.pause_reading()
        self.proxy.soon(lambda: self._keep(asyncio.ensure_future(self._open())))

    def _keep(self, opening: asyncio.Future[None]) -> None:
        self._opening = opening  # the loop alone would not keep it

    async def _open(self) -> None:
        assert self.transport is not None
        try:
            _, other = await asyncio.get_running_loop().create_connection(
                lambda: _Side(self.proxy), LOOPBACK, self.proxy.upstream
            )
        except OSError:
            self.transport.abort()
            return
        self.peer, other.peer = other, self
        early, self.early = self.early, []
        for data in early:
            self._pass_on(data)
        if self.transport.is_closing() and not self.proxy.swallowing:
            other.abort()
        else:
            self.transport.resume_reading()
