"""Words go to the vault, one row of title and body for each text, under their author; events carry the reference.

The first words of a thread, reply or comment have a reference that follows from its id, and those of an edit one that
follows from its Idempotency-Key: so a repeated command is seen as one, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.content.texts import Revision
from shared.errors import Conflict
from shared.event import Text
from shared.log import Secret, derived_id
from shared.vault import Vault, secret

TITLE = 300
BODY = 30_000
"""The most characters of each."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What somebody wrote; None where there is nothing, or it was erased."""

    title: str | None = None
    body: str | None = None

    def __bool__(self) -> bool:
        return (self.title, self.body) != (None, None)


@dataclass(frozen=True, slots=True)
class Draft:
    """Words on their way: the reference for the event, and the rows that are written together with it."""

    wording: Wording
    text: Text | None = None
    secrets: tuple[Secret, ...] = ()


def draft(community: UUID, author: UUID | None, ref: UUID, wording: Wording) -> Draft:
    """Words of `author` (None: of nobody known) under that reference; no words, no reference."""
    if not wording:
        return Draft(wording)
    row = secret(community, author, ref, {"title": wording.title, "body": wording.body})
    return Draft(wording, Text(ref, len(wording.body or "")), (row,))


def first_draft(community: UUID, author: UUID | None, stream: UUID, wording: Wording) -> Draft:
    """The words with which a thread, reply or comment begins."""
    return draft(community, author, derived_id("text", stream), wording)


async def must_be_the_same(vault: Vault, community: UUID, sent: Draft) -> None:
    """What was repeated had these words. Raises `Conflict` when it had others; erased words count as the same."""
    if sent.text is not None:
        kept = await read(vault, community, [sent.text.ref])
        if kept.get(sent.text.ref, sent.wording) != sent.wording:
            raise Conflict("This Idempotency-Key was used with other words. Use a new one for something new.")


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit as it is to be decided: `revision` is None where the words stay, `repeated` where it was made before."""

    revision: Revision | None = None
    secrets: tuple[Secret, ...] = ()
    repeated: bool = False


async def edit_of(
    vault: Vault,
    community: UUID,
    author: UUID | None,
    current: Text | None,
    ref: UUID,
    *,
    title: str | None = None,
    body: str | None = None,
) -> Edit:
    """The edit that puts a title, a body or both (None leaves one) in the place of `current`, under `ref`."""
    kept = await read(vault, community, [ref, *([current.ref] if current else [])])
    if ref in kept:
        return Edit(repeated=True)
    stands = kept.get(current.ref, Wording()) if current else Wording()
    wanted = Wording(stands.title if title is None else title, stands.body if body is None else body)
    new = draft(community, author, ref, wanted)
    if wanted == stands or new.text is None:
        return Edit()
    return Edit(Revision(current, new.text), new.secrets)


async def read(vault: Vault, community: UUID, refs: Iterable[UUID | None]) -> Mapping[UUID, Wording]:
    """The words behind those references, in one query; what was erased is left out."""
    rows = await vault.read(community, {ref for ref in refs if ref is not None})
    return {ref: Wording(row["title"], row["body"]) for ref, row in rows.items()}


async def words_of(vault: Vault, community: UUID, text: Text | None) -> Wording:
    """The words behind one reference."""
    return (await read(vault, community, [text.ref])).get(text.ref, Wording()) if text else Wording()
