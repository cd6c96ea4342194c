"""A text is title and body, one row of the vault under its author; an edit replaces one of them or both.

The first words have a reference that follows from the id, so that a repeated command is seen as one, also when its
words are forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from services.content.authorship import Revision
from shared.events.errors import Invalid
from shared.events.event import Event, Text
from shared.log.port import VaultRow
from shared.vault import Vault
from shared.web.vault_text import Content, Draft, draft, first_draft

S = TypeVar("S")
E = TypeVar("E", bound=Event)

TITLE = 300
BODY = 30_000
"""The most characters of each."""
IMPORTED_BODY = 150_000
"""The same of what is brought in: other systems keep their markup in the text."""


@dataclass(frozen=True, slots=True)
class BodyText:
    """What somebody wrote; None where there is nothing, or it was erased."""

    title: str | None = None
    body: str | None = None

    def __bool__(self) -> bool:
        return (self.title, self.body) != (None, None)


def words_for(community: UUID, author: UUID | None, stream: UUID, body_text: BodyText) -> Draft:
    """The words with which a thread, reply or comment of `author` (None: of nobody known) begins."""
    return first_draft(community, author, stream, _content(body_text), len(body_text.body or ""))


def words_under(ref: UUID, community: UUID, author: UUID | None, body_text: BodyText) -> Draft:
    """Words of `author` under that reference."""
    return draft(community, author, ref, _content(body_text), len(body_text.body or ""))


async def stood(vault: Vault, community: UUID, refs: Collection[UUID], body_text: BodyText) -> bool:
    """As `Vault.stood`."""
    content = _content(body_text)
    return content is not None and await vault.stood(community, refs, content)


def _content(body_text: BodyText) -> Content | None:
    return {"title": body_text.title, "body": body_text.body} if body_text else None


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit as it is to be decided: `revision` is None where the words stay."""

    revision: Revision | None = None
    secrets: tuple[VaultRow, ...] = ()


async def edit_of(
    vault: Vault,
    community: UUID,
    author: UUID | None,
    current: Text | None,
    *,
    title: str | None = None,
    body: str | None = None,
) -> Edit:
    """The edit that puts a title, a body or both (None leaves one) in the place of `current`.

    What stands may be edited as long as it does not grow, also where it is longer than what may be written here.
    Raises `Invalid` where the words are too long.
    """
    stands = await words_of(vault, community, current)
    _must_not_grow("title", title, stands.title, TITLE)
    _must_not_grow("body", body, stands.body, BODY)
    wanted = BodyText(stands.title if title is None else title, stands.body if body is None else body)
    new = words_under(uuid7(), community, author, wanted)
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


async def read(vault: Vault, community: UUID, refs: Iterable[UUID | None]) -> Mapping[UUID, BodyText]:
    """The words behind those references, in one query; what was erased is left out."""
    rows = await vault.read(community, {ref for ref in refs if ref is not None})
    return {ref: _wording(row) for ref, row in rows.items()}


async def words_in(vault: Vault, community: UUID, refs: Iterable[UUID | None]) -> list[BodyText]:
    """The words behind each of those references, in their order."""
    wanted = list(refs)
    kept = await read(vault, community, wanted)
    return [BodyText() if ref is None else kept.get(ref, BodyText()) for ref in wanted]


def _wording(content: Content | None) -> BodyText:
    return BodyText() if content is None else BodyText(content["title"], content["body"])


async def words_of(vault: Vault, community: UUID, text: Text | None) -> BodyText:
    """The words behind one reference."""
    return (await read(vault, community, [text.ref])).get(text.ref, BodyText()) if text else BodyText()
