"""How a figure is taken: the thing and its limit in turns, in one run, medians of several rounds."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

ROUNDS = 5
SECONDS = 1.5

_long = False


def take_long() -> None:
    """From here on every measurement takes its long form."""
    global _long
    _long = True


def choose(short: int, long: int) -> int:
    """How many of something this run measures with."""
    return long if _long else short


class Result(msgspec.Struct, frozen=True):
    """One row of the table. `ratio` is `value / limit` where more is better and `limit / value` where less is.

    A figure without a budget is reported and can neither hold nor fail: all four are null.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    budget: float | None = None
    holds: bool | None = None


@dataclass(frozen=True)
class Load:
    """What clients saw: operations a second and the time of the slowest hundredth, in milliseconds."""

    rate: float
    p50: float
    p99: float


async def until(done: Callable[[], bool | Awaitable[bool]], pause: float = 0.005) -> None:
    """Look every so many seconds until it is done; what is waited for is often another process."""
    while True:
        answer = done()
        if answer if isinstance(answer, bool) else await answer:
            return
        await asyncio.sleep(pause)


async def drive(clients: int, operation: Callable[[], Awaitable[object]], seconds: float = SECONDS) -> Load:
    """Let that many clients call the operation one after the other for so many seconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (started := time.perf_counter()) < end:
            await operation()
            times.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    took = time.perf_counter() - started
    return load_of(times, took)


def load_of(times: list[float], took: float) -> Load:
    """What these times, in seconds, come to; `took` is from the beginning of the first to the end of the last."""
    times.sort()
    return Load(len(times) / took, times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000)


async def against(
    ours: Callable[[], Awaitable[Load]], limit: Callable[[], Awaitable[Load]], rounds: int = ROUNDS
) -> tuple[Load, Load]:
    """Both in turns, so that a noisy neighbour troubles both; the medians of each. The first round only warms up."""
    pairs = [(await limit(), await ours()) for _ in range(rounds + 1)][1:]
    return _median([pair[1] for pair in pairs]), _median([pair[0] for pair in pairs])


def _median(loads: list[Load]) -> Load:
    return Load(*(statistics.median(getattr(load, name) for load in loads) for name in ("rate", "p50", "p99")))


def at_least(name: str, value: float, limit: float, budget: float, unit: str = "1/s") -> Result:
    """More is better: `value` must be at least `budget` times `limit`."""
    return Result(name, value, unit, limit, value / limit, budget, value >= budget * limit)


def figure(name: str, value: float, unit: str) -> Result:
    """What has no budget."""
    return Result(name, value, unit)


def at_most(name: str, value: float, limit: float, unit: str = "ms") -> Result:
    """Less is better: `value` must not be above `limit`."""
    return Result(name, value, unit, limit, limit / value if value else float("inf"), 1.0, value <= limit)
