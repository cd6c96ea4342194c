"""What came of a connection is parsed in time that is bounded for each of its bytes, before anybody is known.

h11 bounds what is incomplete. A complete head or trailer may still be thousands of lines, and a body as many chunks as
it has bytes: 64 KiB of lines kept a process for a tenth of a second, of chunks for a third.
"""

from __future__ import annotations

import h11
from h11._receivebuffer import ReceiveBuffer

MOST_HEADERS = 100
"""Lines of a head besides the first, and of trailers."""
FREE_CHUNKS, PER_CHUNK = 256, 64
"""Chunks that a body may have, whatever is in them; beyond these they hold so many bytes on average."""
LONGEST_SIZE = 256
"""Bytes of the line that begins a chunk: its size, and extensions that nobody reads."""


class Received(ReceiveBuffer):
    """h11's own, through which every head, trailer and chunk passes on its way to be parsed."""

    def __init__(self) -> None:
        super().__init__()
        self.too_many_lines = False
        self._chunks = self._bytes = 0

    def maybe_extract_lines(self) -> list[bytearray] | None:
        lines = super().maybe_extract_lines()
        if lines is not None:
            self._chunks = self._bytes = 0
            self.too_many_lines = len(lines) > 1 + MOST_HEADERS
            if self.too_many_lines:
                raise h11.RemoteProtocolError("more lines than a head may have", error_status_hint=431)
        return lines

    def maybe_extract_next_line(self) -> bytearray | None:
        line = super().maybe_extract_next_line()
        if line is not None:
            self._chunks += 1
            few = self._chunks <= FREE_CHUNKS + self._bytes // PER_CHUNK
            if not few or len(line) > LONGEST_SIZE:
                raise h11.RemoteProtocolError("too many chunks for what they hold")
        return line

    def maybe_extract_at_most(self, count: int) -> bytearray | None:
        found = super().maybe_extract_at_most(count)
        self._bytes += len(found or b"")
        return found
