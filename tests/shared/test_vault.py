"""What a request wrote to the vault it has at hand; everything else it reads."""

from __future__ import annotations

from shared.vault import OwnWords, vault_row
from tests.doubles.vault import MemoryVault
from tests.shared.toy import ALICE, COMMUNITY, stream

MINE, OTHERS, ELSEWHERE = stream(1), stream(2), stream(3)


async def test_own_words_are_at_hand_and_others_are_read() -> None:
    theirs = vault_row(COMMUNITY, ALICE, OTHERS, {"body": "theirs"})
    vault = OwnWords(MemoryVault({(COMMUNITY, OTHERS): theirs}))
    vault.wrote([vault_row(COMMUNITY, ALICE, MINE, {"body": "mine"})])

    found = await vault.read(COMMUNITY, [MINE, OTHERS, ELSEWHERE])

    assert found == {MINE: {"body": "mine"}, OTHERS: {"body": "theirs"}}
    assert await vault.read(ELSEWHERE, [MINE]) == {}
