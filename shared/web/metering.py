"""What a request costs is the processor time of its tasks' turns, not the time it waits for others."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Generator
from typing import Any

from shared.web.context import RequestContext


class Metered:
    """Awaits a coroutine and adds the processor time of its turns to the request's."""

    def __init__(self, work: Awaitable[Any], request: RequestContext) -> None:
        self._work = work
        self._request = request

    def __await__(self) -> Generator[Any, Any, Any]:
        turns: Any = self._work.__await__()
        given: Any = None
        failure: BaseException | None = None
        while True:
            began = time.thread_time()
            try:
                awaited = turns.send(given) if failure is None else turns.throw(failure)
            except StopIteration as done:
                return done.value
            finally:
                self._request.spent += time.thread_time() - began
            given = failure = None
            try:
                given = yield awaited
            except BaseException as error:  # whatever comes is the work's own affair
                failure = error
