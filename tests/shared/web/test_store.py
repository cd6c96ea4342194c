"""What a route is given to write with: ids it makes are new, words it writes are at hand, keys make ids come again."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from shared.commands.commands import Commands
from shared.events.identity import Caller
from shared.vault import OwnWords, vault_row
from shared.web.context import RequestContext
from shared.web.request_commands import RequestCommands
from tests.doubles.log import MemoryLog
from tests.doubles.vault import MemoryVault
from tests.shared.toy import (
    ACCOUNT,
    ALICE,
    CATALOGUE,
    COMMUNITY,
    NOON,
    NOTES,
    NoteWritten,
    deposit,
    open_account,
    stream,
)
from tests.shared.toy import account as account_of


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("toy")


def store(log: MemoryLog, key: str | None = None) -> RequestCommands:
    """One request's."""
    request = RequestContext("request", 0.0, caller=Caller("issuer", "alice", frozenset(), b"secret"))
    return RequestCommands(Commands(log, CATALOGUE), OwnWords(MemoryVault(log.vault)), request, key, NOON, COMMUNITY)


async def test_what_a_request_began_it_may_go_on_with(log: MemoryLog) -> None:
    one = store(log)
    account = one.new_id()
    opened = await one.execute(ACCOUNT, account, open_account)
    again = await one.execute(ACCOUNT, account, open_account)
    paid = await one.execute(ACCOUNT, account, partial(deposit, 3))

    assert (opened.begun, again.events, again.version) == (True, (), 1)
    assert (paid.begun, paid.version, account_of(paid).balance) == (False, 2, 3)


async def test_the_same_key_makes_the_same_id_and_none_makes_a_new_one(log: MemoryLog) -> None:
    assert store(log, "POST /x\x1fkey").new_id() == store(log, "POST /x\x1fkey").new_id()
    assert store(log).new_id() != store(log).new_id()


async def test_an_id_behind_a_veil_is_as_new_as_the_one_before_it(log: MemoryLog) -> None:
    one, veiled = store(log), []

    def veil(made: UUID) -> UUID:
        veiled.append(made)
        return stream(made.int)

    account = one.new_id(veil)

    assert account == stream(veiled[0].int) != veiled[0]
    assert (await one.execute(ACCOUNT, account, open_account)).begun


async def test_words_are_at_hand_once_their_event_is_written_and_not_before(log: MemoryLog) -> None:
    one, ref = store(log), stream(9)
    words = [vault_row(COMMUNITY, ALICE, ref, {"body": "mine"})]
    await one.execute(NOTES, stream(1), lambda _: [], secrets=words)
    assert await one.vault.read(COMMUNITY, [ref]) == {}

    await one.execute(NOTES, stream(1), lambda _: [NoteWritten(ref)], secrets=words)
    log.vault.clear()  # whoever reads now, has it from the request itself
    assert await one.vault.read(COMMUNITY, [ref]) == {ref: {"body": "mine"}}
