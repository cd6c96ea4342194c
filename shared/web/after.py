"""What a caller has seen is seen by whatever they ask next: `Guildhall-After` is waited for before any look-up.

Of every operation, by what stands on its route: first what their rights rest on, and the views that it declares; where
it declares none, all views of the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from shared.events.errors import Behind
from shared.projections.freshness import Freshness
from shared.projections.read_model import ReadModel
from shared.replicas.directory import VIEW as DIRECTORY
from shared.web import context

WAIT, LONGEST_WAIT = 2.0, 10.0
"""Seconds a request waits for its caller's own write: where it does not say, and at most."""
STALE_OK = "stale=ok"

_WAIT = re.compile(r"wait\s*=\s*(\d{1,4})", re.ASCII | re.IGNORECASE)
_STALE = re.compile(r"stale\s*=\s*\"?ok\"?", re.ASCII | re.IGNORECASE)


async def settle(request: Request) -> None:
    """Wait for `Guildhall-After`, once a request.

    Raises `BadRequest` for what is no position, and `Behind` where waiting has not helped, but for a read whose caller
    takes an old answer.
    """
    known, runtime = context.of(request), context.runtime_of(request)
    values = request.headers.getlist("guildhall-after")
    if not values or known.settled:
        return
    known.settled = True
    wanted = runtime.seal.open(values, header="Guildhall-After", partitions=runtime.settings.partitions)
    preferences = [part.strip() for value in request.headers.getlist("prefer") for part in value.split(",")]
    wait = _wait(preferences)
    known.allow(wait)
    declared = {view.name for fresh in _declared(request.scope["route"].dependant) for view in fresh.views}
    views = [view for view in runtime.views if view.name in declared or (not declared and view.tables)]
    rights = [view for view in runtime.views if view.name == DIRECTORY and view not in views]
    try:
        await runtime.watch.wait_for([*rights, *views], wanted, wait, caller=known.caller)
    except Behind:
        if not (known.reads and any(_STALE.fullmatch(preference) for preference in preferences)):
            raise
        known.headers.append((b"preference-applied", STALE_OK.encode()))


def asked(request: Request) -> bool:
    """Whether there is a position that what is looked up must be as far as."""
    return "guildhall-after" in request.headers


def _wait(preferences: Sequence[str]) -> float:
    """Seconds, from `Prefer` (RFC 7240); preferences that are not understood are ignored, as it demands."""
    found = map(_WAIT.fullmatch, preferences)
    return next((min(float(match[1]), LONGEST_WAIT) for match in found if match), WAIT)


@dataclass(frozen=True)
class Fresh:
    """A dependency: how far views are, measured before they are read, after the wait that the caller asked for."""

    views: tuple[ReadModel, ...]

    async def __call__(self, request: Request) -> Freshness:
        await settle(request)
        return await context.runtime_of(request).watch.freshness(*self.views)


def fresh(*views: ReadModel) -> Any:
    """`Annotated[Freshness, fresh(BOARD)]`: how far those views are, after waiting for what the caller asked for."""
    return Depends(Fresh(views))


def _declared(dependant: Dependant) -> Iterator[Fresh]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Fresh):
            yield inner.call
