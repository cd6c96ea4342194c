"""An event loop whose clock jumps to the next timer, and processes on it that can be killed and paused at any await.

A task belongs to the process it was begun in (a context variable). A killed process's tasks are never resumed, so no
`finally` of theirs runs; a paused one's callbacks wait until it goes on. Nothing here depends on addresses or on real
time: one seed is one schedule.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heapify, heappop, heappush
from typing import Any, TypeAlias

PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
OUTSIDE = contextvars.copy_context()
"""What servers, clients and the network run in: no process."""

Handle: TypeAlias = Any

_numbers = itertools.count()


class Process:
    """What dies together. `died` is called with it when it is killed, so that the world can see to its connections."""

    def __init__(self, name: str, died: Callable[[Process], None]) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._died = died
        self._held: deque[Handle] = deque()

    def begin(self, loop: Loop, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process."""
        context = contextvars.Context()
        context.run(PROCESS.set, self)
        return loop.create_task(work, context=context)

    def kill(self) -> None:
        if self.alive:
            self.alive = False
            self._died(self)

    def pause(self) -> None:
        self.paused = True

    def go_on(self, loop: Loop) -> None:
        self.paused = False
        held, self._held = self._held, deque()
        loop.resume(held)

    def hold(self, handle: Handle) -> None:
        self._held.append(handle)


class Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self.number


class _Call(asyncio.Handle):
    """A handle without what debugging needs; a schedule makes thousands."""

    __slots__ = ()

    def __init__(self, callback: Any, args: Any, loop: Any, context: Any) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None


class _Timer(asyncio.TimerHandle):
    __slots__ = ()

    def __init__(self, when: float, callback: Any, args: Any, loop: Any, context: Any) -> None:
        self._context = contextvars.copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._repr = None
        self._source_traceback = None
        self._when = when
        self._scheduled = True


class Stuck(Exception):
    """Nothing is left to happen."""


class Loop(asyncio.BaseEventLoop):
    """`now` is its time in seconds; it never waits. Timers of one moment run in the order they were made in."""

    _ready: deque[Handle]

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.steps = 0
        self._timers: list[tuple[float, int, Handle]] = []
        self._made = 0
        self._cancelled = 0
        self.set_task_factory(_make_task)

    def time(self) -> float:
        return self.now

    def resume(self, handles: deque[Handle]) -> None:
        self._ready.extend(handles)

    def call_soon(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        handle = _Call(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        timer = _Timer(when, callback, args, self, context)
        self._made += 1
        heappush(self._timers, (when, self._made, timer))
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, _: object) -> None:
        self._cancelled += 1

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        if self._cancelled > 200 and self._cancelled * 2 > len(timers):
            timers[:] = [each for each in timers if not each[2]._cancelled]
            heapify(timers)
            self._cancelled = 0
        if not ready:
            while timers and timers[0][2]._cancelled:
                heappop(timers)
                self._cancelled -= 1
            if not timers:
                raise Stuck
            self.now = max(self.now, timers[0][0])
        end = self.now + 1e-9
        while timers and timers[0][0] < end:
            timer = heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._cancelled -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)
            if process is not None and (process.paused or not process.alive):
                process.hold(handle)
                continue
            self.steps += 1
            try:
                handle._context.run(handle._callback, *handle._args)
            except Exception as error:
                self.call_exception_handler({"exception": error, "handle": handle})

    def _process_events(self, _: object) -> None:
        """There are no files here."""

    def _write_to_self(self) -> None:
        """There are no threads here."""


def _make_task(loop: asyncio.AbstractEventLoop, work: Any, **kwargs: Any) -> asyncio.Task[Any]:
    task = Task(work, loop=loop, **kwargs)
    context = kwargs.get("context")
    process = PROCESS.get() if context is None else context.get(PROCESS)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(process.tasks.pop)
    return task


def never() -> asyncio.Future[Any]:
    """What a task of a killed process waits for."""
    return asyncio.get_running_loop().create_future()
