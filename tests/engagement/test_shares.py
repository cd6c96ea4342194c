"""Shares: told once per member, target and day, with the medium."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from services.engagement.events import TargetShared
from services.engagement.shares.domain import SHARE, Medium, share, share_id
from shared.events.errors import Conflict, NotFound
from tests.engagement.samples import ALICE, BOB, DELETED, NOON, QUESTION, ROSES, WATER
from tests.given import folded

UTC_ZONE, TOKYO = ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")
FIRST = share_id(ROSES, BOB, NOON, UTC_ZONE)
SHARED = TargetShared(FIRST, ROSES, "thread", ALICE, BOB, "chat")


def test_a_member_tells_of_a_share() -> None:
    assert share(None, FIRST, QUESTION, BOB, Medium.CHAT) == [SHARED]


def test_a_share_told_again_changes_nothing_even_by_another_medium_or_where_the_target_was_deleted_since() -> None:
    for target, medium in [(QUESTION, Medium.CHAT), (QUESTION, Medium.MAIL), (DELETED, Medium.CHAT)]:
        assert share(folded(SHARE, [SHARED]), FIRST, target, BOB, medium) == []


@pytest.mark.parametrize("zone", [UTC_ZONE, TOKYO], ids=str)
def test_each_member_target_and_day_of_the_community_is_a_share_of_its_own(zone: ZoneInfo) -> None:
    tomorrow = NOON + timedelta(days=1)
    each = {share_id(t, m, at, zone) for t in (ROSES, WATER) for m in (ALICE, BOB) for at in (NOON, tomorrow)}
    assert len(each) == 8
    midnight = datetime(2026, 3, 2, tzinfo=zone)
    before = (midnight - timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=-8)))
    first = share_id(ROSES, BOB, datetime(2026, 3, 1, tzinfo=zone), zone)
    assert share_id(ROSES, BOB, before, zone) == first != share_id(ROSES, BOB, midnight.astimezone(UTC), zone)


def test_nobody_shares_what_was_deleted_or_never_was() -> None:
    with pytest.raises(Conflict):
        share(None, FIRST, DELETED, BOB, Medium.LINK)
    with pytest.raises(NotFound):
        share(None, FIRST, None, BOB, Medium.LINK)
