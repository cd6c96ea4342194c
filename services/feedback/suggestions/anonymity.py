"""An anonymous suggestion leaves nothing that leads to its author: no actor, no subject, no id that follows from one.

The event's `author_id` and its envelope's `actor` are None and the vault keeps the words under nobody. The id must
not give the author away either: what an Idempotency-Key makes of a member id could be computed again by whoever
guesses the key, so it goes through the installation's keyed hash. The price: an erasure cannot find these words, and
their author cannot change them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from uuid_utils.compat import uuid7

from shared import context
from shared.access import Here
from shared.commands import Act
from shared.http import Store


class NobodysStore(Store):
    """Commands that are carried out without saying for whom."""

    @property
    def act(self) -> Act:
        return replace(super().act, actor=None)


async def nobodys_store(request: Request) -> Store:
    runtime = context.runtime_of(request)
    return NobodysStore(runtime.commands, runtime.vault, context.of(request), lambda _: uuid7())


Anonymously = Annotated[Store, Depends(nobodys_store)]


def veiled(new_id: UUID, here: Here) -> UUID:
    """An id that is the same at every repetition, and that nobody without the installation's secret can compute."""
    return here.caller.member_in(new_id)
