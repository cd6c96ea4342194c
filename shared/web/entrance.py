"""What every operation asks of a request before it looks anything up: nothing that its route does not take.

A parameter or a body that nobody reads was meant to do something, so it is refused, as an unknown field is.
"""

from __future__ import annotations

from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from shared.events.errors import Invalid
from shared.web import context, problems
from shared.web.after import settle


async def enter(request: Request) -> None:
    """Raise `Invalid` for what the operation does not take, then wait for what its caller has seen."""
    takes_only_what_it_declares(request)
    await settle(request)


def takes_only_what_it_declares(request: Request) -> None:
    """Raise `Invalid` for a query parameter that the route does not have, or a body where it takes none."""
    route, asked = request.scope["route"], context.of(request)
    if request.scope["query_string"]:
        known = parameters(route.dependant)
        for name in request.query_params:
            if name not in known:
                raise Invalid(_unknown(known, name), query=name[: problems.LONGEST_NAME])
    if route.body_field is None and (asked.body or asked.arriving) and not asked.streams:
        raise Invalid("This operation takes no body. Send it without one.", pointer="")


def parameters(dependant: Dependant) -> frozenset[str]:
    """The query parameters that an operation takes, by the names that callers give them."""
    found = frozenset(field.alias for field in dependant.query_params)
    return found.union(*map(parameters, dependant.dependencies))


def _unknown(known: frozenset[str], name: str) -> str:
    takes = "takes " + ", ".join(f"`{each}`" for each in sorted(known)) if known else "takes no parameters"
    near = get_close_matches(name[: problems.LONGEST_NAME], known, 1, 0.7)
    return f"There is no such parameter here. This operation {takes}.{f' Did you mean `{near[0]}`?' if near else ''}"
