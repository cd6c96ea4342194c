"""Measures what a request costs: processor time of this process, and memory at its peak."""

from __future__ import annotations

import gc
import time
import tracemalloc
from dataclasses import dataclass

from tests.city.asking import Answer
from tests.city.village import Village
from tests.security.worst import Worst


@dataclass(frozen=True)
class Cost:
    """`seconds` of processor time; `peak` bytes allocated besides the request's own, 0 where it was not measured."""

    answer: Answer
    seconds: float
    peak: int = 0


async def cost(village: Village, worst: Worst, *, memory: bool = False) -> Cost:
    """What one request costs. Memory is measured on a second one, since measuring takes time itself."""
    request = worst.request(village)
    began = time.thread_time()
    answer = await village.city.ask(request)
    seconds = time.thread_time() - began
    if not memory:
        return Cost(answer, seconds)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    await village.city.ask(request)
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return Cost(answer, seconds, peak)
