"""A text is title and body, one row of the vault under its author; an edit replaces one of them or both.

The words of an edit have a reference that follows from its Idempotency-Key, as the first words have one that follows
from the id: so a repeated command is seen as one, whatever happened in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, TypeVar
from uuid import UUID

from services.content.texts import Revision
from shared.errors import Invalid, KeyReused
from shared.event import Event, Recorded, Text
from shared.history import Done
from shared.http.wording import Content, Draft, draft, first_draft
from shared.log.port import Secret
from shared.vault import Vault

S = TypeVar("S")
E = TypeVar("E", bound=Event)

TITLE = 300
BODY = 30_000
"""The most characters of each."""
IMPORTED_BODY = 150_000
"""The same of what is brought in: other systems keep their markup in the text."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What somebody wrote; None where there is nothing, or it was erased."""

    title: str | None = None
    body: str | None = None

    def __bool__(self) -> bool:
        return (self.title, self.body) != (None, None)


def words_for(community: UUID, author: UUID | None, stream: UUID, wording: Wording) -> Draft:
    """The words with which a thread, reply or comment of `author` (None: of nobody known) begins."""
    return first_draft(community, author, stream, _content(wording), len(wording.body or ""))


def words_under(ref: UUID, community: UUID, author: UUID | None, wording: Wording) -> Draft:
    """Words of `author` under that reference."""
    return draft(community, author, ref, _content(wording), len(wording.body or ""))


def _content(wording: Wording) -> Content | None:
    return {"title": wording.title, "body": wording.body} if wording else None


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
    """The edit that puts a title, a body or both (None leaves one) in the place of `current`, under `ref`.

    What stands may be edited as long as it does not grow, also where it is longer than what may be written here.
    Raises `KeyReused` where there are other words under `ref`, `Invalid` where they are too long.
    """
    kept = await read(vault, community, [ref, *([current.ref] if current else [])])
    if ref in kept:
        if title not in (None, kept[ref].title) or body not in (None, kept[ref].body):
            raise KeyReused("edit")
        return Edit(repeated=True)
    stands = kept.get(current.ref, Wording()) if current else Wording()
    _must_not_grow("title", title, stands.title, TITLE)
    _must_not_grow("body", body, stands.body, BODY)
    wanted = Wording(stands.title if title is None else title, stands.body if body is None else body)
    new = draft(community, author, ref, _content(wanted), len(wanted.body or ""))
    if wanted == stands or new.text is None:
        return Edit()
    return Edit(Revision(current, new.text), new.secrets)


def _must_not_grow(field: str, given: str | None, stands: str | None, limit: int) -> None:
    most = max(limit, len(stands or ""))
    if given is not None and len(given) > most:
        standing = f", or the {most:,} that stand" if most > limit else ""
        raise Invalid(
            f"This has {len(given):,} characters; at most {limit:,} may be written here{standing}.", pointer=f"/{field}"
        )


async def read(vault: Vault, community: UUID, refs: Iterable[UUID | None]) -> Mapping[UUID, Wording]:
    """The words behind those references, in one query; what was erased is left out."""
    rows = await vault.read(community, {ref for ref in refs if ref is not None})
    return {ref: Wording(row["title"], row["body"]) for ref, row in rows.items()}


class Edited(TypedDict):
    """When the words were edited last, and by whom."""

    edited_at: datetime | None
    edited_by: UUID | None


def edited(last: Done | None, elsewhere: datetime | None) -> Edited:
    """What an answer says of the `last` edit, or of the one `elsewhere` before it was brought in."""
    return Edited(edited_at=last.at if last else elsewhere, edited_by=editor(last) if last else None)


def editor(edit: Done | Recorded) -> UUID | None:
    """Who edited; of an edit that was brought in, only whose words they are is known."""
    return None if edit.imported_by else edit.actor


async def words_of(vault: Vault, community: UUID, text: Text | None) -> Wording:
    """The words behind one reference."""
    return (await read(vault, community, [text.ref])).get(text.ref, Wording()) if text else Wording()
