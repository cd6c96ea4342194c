"""Words go to the vault and a reference to them into the event, so that a decision compares references and stays pure.

Words that something begins with have a reference that follows from its id, so a repetition is seen as one for ever.
Words that take the place of others are compared with those that stand: the same words keep their reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.commands.decisions import Basis
from shared.commands.outcome import Outcome
from shared.commands.preconditions import Precondition
from shared.events.decider import Decider
from shared.events.errors import KeyReused
from shared.events.event import Event, Text
from shared.events.identity import derived_id
from shared.log.port import VaultRow
from shared.vault import Vault, vault_row
from shared.web.request_commands import RequestCommands

S = TypeVar("S")
E = TypeVar("E", bound=Event)

Content = Mapping[str, Any]
"""Words as the vault keeps them: `{"title": …, "body": …}`, `{"text": …}`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Words on their way: the reference for the event, and what the vault is to get together with it."""

    text: Text | None = None
    secrets: tuple[VaultRow, ...] = ()
    content: Content | None = None


def draft(community: UUID, subject: UUID | None, ref: UUID, content: Content | None, length: int) -> Draft:
    """Words about `subject` (None: about nobody) under that reference; no words, no reference.

    `length` is their number of characters.
    """
    if content is None:
        return Draft()
    return Draft(Text(ref, length), (vault_row(community, subject, ref, content),), content)


def first_draft(community: UUID, subject: UUID | None, stream: UUID, content: Content | None, length: int) -> Draft:
    """The words that something begins with; as `draft`."""
    return draft(community, subject, derived_id("text", stream), content, length)


async def create(
    commands: RequestCommands,
    decider: Decider[S, E],
    stream: UUID,
    event: E,
    sent: Draft,
    refuse: Callable[..., object] | None = None,
    *,
    on: Sequence[Basis] = (),
    below: str,
) -> Outcome[S]:
    """Begin a stream with an event and the words that it refers to; else as `creation`.

    Raises `KeyReused` also where it began with other words; erased ones count as the same.
    """
    outcome = await commands.create(decider, stream, event, refuse, on=on, secrets=sent.secrets, below=below)
    if not outcome.events and sent.text is not None:
        kept = await read(commands.vault, commands.act.community, sent.text)
        if kept is not None and kept != sent.content:
            raise KeyReused(decider.name)
    return outcome


async def change(
    commands: RequestCommands,
    decider: Decider[S, E],
    stream: UUID,
    decide: Callable[..., list[E]],
    content: Content | None,
    before: Callable[[S], Text | None],
    expect: Precondition | None = None,
) -> Outcome[S]:
    """Change what is there (`decisions.change`), with words of the caller's in the place of those `before`, if any.

    `decide` is given their reference behind the state, None for no words.
    """
    state = (await commands.load(decider, stream)).state
    act, length = commands.act, sum(map(len, content.values())) if content else 0
    stands = None if state is None else before(state)
    text, secrets = await refer(commands.vault, act.community, act.actor, content, length, stands)
    return await commands.change(decider, stream, lambda state: decide(state, text), secrets=secrets, expect=expect)


async def refer(
    vault: Vault,
    community: UUID,
    subject: UUID | None,
    content: Content | None,
    length: int,
    before: Text | None,
) -> tuple[Text | None, Sequence[VaultRow]]:
    """The reference to words that take the place of `before`, and what the vault is to get together with the event.

    `length` is their number of characters. No words, no reference.
    """
    if content is not None and before is not None and await read(vault, community, before) == content:
        return before, ()
    new = draft(community, subject, uuid7(), content, length)
    return new.text, new.secrets


async def read(vault: Vault, community: UUID, text: Text | None) -> dict[str, Any] | None:
    """The words behind a reference; None where there are none or they were erased."""
    return (await vault.read(community, [text.ref])).get(text.ref) if text else None


async def read_all(vault: Vault, community: UUID, refs: Iterable[Text | UUID | None]) -> list[dict[str, Any]]:
    """The words behind each of those references, in one look; empty where there are none or they were erased."""
    wanted = [ref.ref if isinstance(ref, Text) else ref for ref in refs]
    kept = await vault.read(community, {ref for ref in wanted if ref})
    return [kept.get(ref, {}) if ref else {} for ref in wanted]
