"""Which communities somebody has come to is kept in the vault, in the transaction of their coming.

Their member ids do not tell, and an event must not: what it says everybody reads, and one person's ids in two
communities have nothing in common. So a list of one's own communities costs what it shows, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import sqlalchemy as sa

from services.member.tables import metadata, unlinked_community
from shared.events.identity import Caller, member_id
from shared.log.port import VaultRow
from shared.vault import vault_row
from shared.web.queries import Queries

_ANYWHERE: Final = UUID(int=0)
_vault = metadata.tables["vault"].c


def came(community: UUID, member: UUID, caller: Caller, subject: str | None = None) -> VaultRow:
    """To be kept when somebody first comes: the caller, or a subject of their issuer whom they bring in. It goes by the
    member id, which the events of their coming have.
    """
    who = caller.subject if subject is None else subject
    person = member_id(caller.secret, _ANYWHERE, caller.issuer, who)
    return vault_row(community, person, member, {})


async def communities_of(db: Queries, caller: Caller) -> Sequence[UUID]:
    """The communities that the caller has come to, and those of before this was kept, in which they may be."""
    kept = sa.select(_vault.community).where(_vault.subject == caller.member_in(_ANYWHERE))
    return (await db.execute(sa.union(kept, sa.select(unlinked_community.c.community)))).scalars().all()
