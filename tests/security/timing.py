"""`python -m tests.security.timing --requests 500`: whether the time of an answer tells what the answer does not.

What is hidden and what is not there are asked for in turns by the same outsider; of each pair the medians, and the
probability that one of the first took longer than one of the second (0.5: they cannot be told apart), with its z by
Mann and Whitney. Many requests find a small difference: what counts is how many an attacker would have to send, and
over a network they see less than what is measured here in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import tempfile
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
import structlog
from rich.console import Console
from rich.table import Table

from tests.city.asking import Request
from tests.city.city import City, city
from tests.city.village import Village
from tests.stack import stack_session

WARM: Final = 30
Pair = tuple[str, Request, Request]


def pairs(hidden: Village, public: Village) -> list[Pair]:
    """What it is, what is there and hidden, and what is not there."""
    absent = Village(hidden.city, f"absent-{'x' * (len(hidden.name) - 7)}")
    things = {kind: ids[0] for kind, ids in hidden.ids.items()}

    def both(who: str, service: str, path: str) -> tuple[Request, Request]:
        return hidden.request(who, service, "GET", path), absent.request(who, service, "GET", path)

    def inside(service: str, there: str, missing: str) -> tuple[Request, Request]:
        return public.request("stranger", service, "GET", there), public.request("stranger", service, "GET", missing)

    return [
        ("community", *both("stranger", "member", "")),
        ("its members", *both("stranger", "member", "/members")),
        ("its threads", *both("stranger", "content", "/threads")),
        ("a thread of it", *both("stranger", "content", f"/threads/{things['thread']}")),
        ("a suggestion of it", *both("stranger", "feedback", f"/suggestions/{things['suggestion']}")),
        ("its influence", *both("stranger", "projection", "/metrics/influence")),
        ("as one who left", *both("left", "content", "/threads")),
        (
            "its thread, in a public one",
            *inside("content", f"/threads/{things['thread']}", f"/threads/{uuid4()}"),
        ),
        (
            "its suggestion, in a public one",
            *inside("feedback", f"/suggestions/{things['suggestion']}", f"/suggestions/{uuid4()}"),
        ),
        (
            "who left a public one",
            *inside("member", f"/members/{public.member_ids['left']}", f"/members/{uuid4()}"),
        ),
        (
            "who applied to a public one",
            *inside("member", f"/members/{public.member_ids['applicant']}", f"/members/{uuid4()}"),
        ),
    ]


async def measure(town: City, first: Request, second: Request, requests: int) -> tuple[list[float], list[float], int]:
    """Seconds of each of so many requests of both, in turns, and the status of all."""
    spent: tuple[list[float], list[float]] = ([], [])
    statuses = set()
    for number in range(WARM + requests):
        turns = [(first, spent[0]), (second, spent[1])]
        random.shuffle(turns)
        for request, seconds in turns:
            began = time.perf_counter()
            answer = await town.ask(request)
            if number >= WARM:
                seconds.append(time.perf_counter() - began)
                statuses.add(answer.status)
    assert len(statuses) == 1, statuses
    return *spent, statuses.pop()


def ranked(first: list[float], second: list[float]) -> tuple[float, float]:
    """The probability that one of the first is the longer, and z."""
    a, b = len(first), len(second)
    order = np.argsort(np.concatenate([first, second]))
    ranks = np.empty(a + b)
    ranks[order] = np.arange(1, a + b + 1)
    u = float(ranks[:a].sum()) - a * (a + 1) / 2
    return u / (a * b), (u - a * b / 2) / (a * b * (a + b + 1) / 12) ** 0.5


async def table(console: Console, requests: int) -> None:
    shown = Table("what", "status", "hidden µs", "absent µs", "longer", "z", title=f"{requests} requests of each")
    with stack_session() as shared, tempfile.TemporaryDirectory() as folder:
        async with city(shared, Path(folder)) as town:
            hidden, public = await asyncio.gather(
                Village(town, f"hidden-{uuid4().hex[:6]}", "members").settle(),
                Village(town, f"public-{uuid4().hex[:6]}").settle(),
            )
            for name, first, second in pairs(hidden, public):
                there, missing, status = await measure(town, first, second, requests)
                longer, z = ranked(there, missing)
                medians = [f"{np.median(seconds) * 1e6:,.0f}" for seconds in (there, missing)]
                shown.add_row(name, str(status), *medians, f"{longer:.3f}", f"{z:+.1f}")
                console.print(f"{name}: {', '.join(medians)} µs, {longer:.3f}, {z:+.1f}", style="dim")
    console.print(shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.security.timing", description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="requests of each kind")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(table(Console(width=120), parser.parse_args().requests))
