"""Influence is shown of who is here, and of who went to moderators and themselves; nobody is denied unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from services.content.events import ThreadOpened
from services.member.events import CommunityFounded, MemberJoined, MemberLeft, MemberRemoved, RoleGranted
from services.projection.app import SERVICE
from shared.events.identity import member_id
from tests.projection.conftest import Hall, following
from tests.projection.histories import COMMUNITY
from tests.projection.records import NOON, recorded

FOUNDED = CommunityFounded("guild", "Guild", "", "fr", "UTC", "public", "open", UUID(int=1))
PATHS = ("", "/explain")


def of(hall: Hall, subject: str) -> UUID:
    settings = hall.api.runtime.settings
    return member_id(settings.member_secret.get_secret_value().encode(), COMMUNITY, settings.issuer, subject)


async def settled(hall: Hall) -> None:
    """All that has happened is folded, by the directory too."""
    await hall.api.runtime.watch.wait_for([*SERVICE.topic_read_models], hall.after, 9.0)


async def statuses(hall: Hall, by: str, whom: object, *, patient: bool = True) -> list[int]:
    """Of one's influence, and of what it is made of."""
    async with replace(hall.api, patient=patient).by(by, "") as client:
        start = f"/v1/communities/{COMMUNITY}/metrics/influence/{whom}"
        return [(await client.get(f"{start}{path}")).status_code for path in PATHS]


@pytest.mark.parametrize("acted", [True, False])
@pytest.mark.parametrize("went", [MemberLeft, MemberRemoved])
async def test_one_who_is_not_here_is_to_others_as_one_who_never_came(
    hall: Hall, went: type[MemberLeft | MemberRemoved], *, acted: bool
) -> None:
    gone, moderator, member = (of(hall, subject) for subject in ("gone", "moderator", "member"))
    await hall.tells(COMMUNITY, FOUNDED)
    await hall.tells(moderator, MemberJoined(moderator, "open", 1), RoleGranted(moderator, "moderator"))
    await hall.tells(member, MemberJoined(member, "open", 1))
    if acted:
        thread = uuid5(COMMUNITY, "thread")
        await hall.happens(recorded(ThreadOpened(thread, thread, gone, None, ()), NOON, stream=thread))
    left = MemberLeft(gone) if went is MemberLeft else MemberRemoved(gone, None, None)
    for version, event in enumerate((MemberJoined(gone, "open", 1), left), start=1):
        await hall.happens(recorded(event, NOON + timedelta(hours=version), stream=gone, version=version))
    await settled(hall)

    for who in ("member", "stranger"):
        assert await statuses(hall, who, gone) == [404, 404]
        assert await statuses(hall, who, member) == [200, 200]
    assert await statuses(hall, "moderator", gone) == [200, 200]
    assert await statuses(hall, "gone", gone) == await statuses(hall, "gone", "me") == [200, 200]
    for who in ("member", "stranger", "moderator"):
        assert await statuses(hall, who, uuid5(COMMUNITY, "never came")) == [404, 404]
    assert await statuses(hall, "stranger", "me") == [404, 404]


async def test_who_came_back_is_here(hall: Hall) -> None:
    back = of(hall, "back")
    await hall.tells(COMMUNITY, FOUNDED)
    await hall.tells(back, MemberJoined(back, "open", 1), MemberLeft(back), MemberJoined(back, "open", 2))
    await settled(hall)

    assert await statuses(hall, "stranger", back) == [200, 200]


async def test_nobody_is_told_that_a_member_is_not_there_who_may_have_just_joined(deaf_hall: Hall) -> None:
    newcomer = of(deaf_hall, "newcomer")
    async with following(deaf_hall):
        await deaf_hall.tells(COMMUNITY, FOUNDED)
        await settled(deaf_hall)
    await deaf_hall.tells(newcomer, MemberJoined(newcomer, "open", 1))

    assert await statuses(deaf_hall, "newcomer", "me", patient=False) == [503, 503]
    async with following(deaf_hall):
        await settled(deaf_hall)
        assert await statuses(deaf_hall, "newcomer", "me") == [200, 200]
