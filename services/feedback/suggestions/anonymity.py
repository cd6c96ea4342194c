"""An anonymous suggestion leaves nothing that leads to its author: no actor, no subject, no id that follows from one.

The event's `author_id` and its envelope's `actor` are None, it carries no trace, its time is the beginning of the
quarter of an hour, and the vault keeps the words under nobody. The id must not give the author away either: what an
Idempotency-Key makes of a member id could be computed again by whoever guesses the key, so it goes through the
installation's keyed hash; every suggestion's does, so that a key is the same key whether the words were signed or not.
The price: an erasure cannot find these words, and their author cannot change or delete them; a moderator can.
"""

from __future__ import annotations

from uuid import UUID

from shared.web.access.permissions import CallerInCommunity


def veiled(new_id: UUID, me: CallerInCommunity) -> UUID:
    """An id that is the same at every repetition, and that nobody without the installation's secret can compute."""
    return me.caller.member_in(new_id)
