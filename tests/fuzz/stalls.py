"""How long the event loop was held at a time, in processor time, less what the fuzzer itself used of it.

Processor time, because a busy machine holds up everything; what it says is how long a request keeps the others waiting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

asked: ContextVar[str] = ContextVar("asked", default="no request")
"""What a task is asking, for the report."""

STALL = 0.2
"""Seconds from which on it counts as a stall."""


@dataclass
class Stalls:
    """`longest` is in seconds of processor time of the loop's thread; `found` says where a stall was."""

    longest: float = 0.0
    found: list[str] = field(default_factory=list)
    _own: float = 0.0

    @contextmanager
    def own_work(self) -> Iterator[None]:
        """What is done within is the fuzzer's, not the services'."""
        began = time.thread_time()
        try:
            yield
        finally:
            self._own += time.thread_time() - began

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within, every callback of event loops in this process is timed."""
        handles: Any = asyncio.Handle
        run = handles._run

        def timed(handle: Any) -> None:
            own, began = self._own, time.thread_time()
            run(handle)
            took = time.thread_time() - began - (self._own - own)
            if took > self.longest:
                self.longest = took
            if took > STALL:
                self.found.append(f"{took:.3f} s of {handle._context.get(asked, 'no request')}")

        handles._run = timed
        try:
            yield
        finally:
            handles._run = run
