"""Shares: each told once, with the medium."""

from __future__ import annotations

from uuid import UUID

import pytest

from services.engagement.events import TargetShared
from services.engagement.shares.domain import SHARE, Medium, Share, share
from shared.errors import Conflict, KeyReused, NotFound
from tests.engagement.samples import ALICE, BOB, DELETED, QUESTION, ROSES, WATER

FIRST = UUID("00000000-0000-7000-8000-000000000501")
SHARED = TargetShared(FIRST, ROSES, "thread", ALICE, BOB, "chat")


def test_a_member_tells_of_a_share() -> None:
    assert share(Share(), FIRST, ROSES, QUESTION, BOB, Medium.CHAT) == [SHARED]


def test_a_share_told_again_changes_nothing_even_where_the_target_was_deleted_since() -> None:
    assert share(SHARE.fold([SHARED]), FIRST, ROSES, DELETED, BOB, Medium.CHAT) == []


def test_an_id_that_is_taken_is_not_given_to_another_share() -> None:
    for target, member, medium in [(WATER, BOB, Medium.CHAT), (ROSES, ALICE, Medium.CHAT), (ROSES, BOB, Medium.MAIL)]:
        with pytest.raises(KeyReused):
            share(SHARE.fold([SHARED]), FIRST, target, QUESTION, member, medium)


def test_nobody_shares_what_was_deleted_or_never_was() -> None:
    with pytest.raises(Conflict):
        share(Share(), FIRST, ROSES, DELETED, BOB, Medium.LINK)
    with pytest.raises(NotFound):
        share(Share(), FIRST, ROSES, None, BOB, Medium.LINK)
