"""Words become a reference: the one that stands if the words are the same, else a new one with its row of the vault.

So a decision compares references, stays pure, and a repeated command is seen as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.event import Text
from shared.log import Secret
from shared.vault import Vault, secret


async def refer(
    vault: Vault, community: UUID, subject: UUID, words: Mapping[str, Any] | None, length: int, before: Text | None
) -> tuple[Text | None, Sequence[Secret]]:
    """The reference to words about `subject`, and what the vault is to get together with the event.

    `before` is the reference that stands now, `length` the number of characters. No words, no reference.
    """
    if words is None:
        return None, ()
    if before is not None and await read(vault, community, before) == words:
        return before, ()
    ref = uuid7()
    return Text(ref, length), (secret(community, subject, ref, words),)


async def read(vault: Vault, community: UUID, text: Text | None) -> dict[str, Any] | None:
    """The words behind a reference; None where there are none or they were erased."""
    return (await vault.read(community, [text.ref])).get(text.ref) if text else None
