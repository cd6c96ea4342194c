"""Imports are withdrawn and restored as a whole: decided on the community's stream, over HTTP by who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.member.communities.domain import COMMUNITY
from services.member.events import CommunityArchived, ImportRestored, ImportWithdrawn
from services.member.imports.domain import MOST, must_judge, restore, withdraw
from services.member.roles.domain import Holder
from shared.events.errors import Conflict, Forbidden, Invalid
from tests.given import folded
from tests.member.api import found, grant, join
from tests.member.people import ALICE, BOB, FOUNDED
from tests.member.running import Api

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = NOON - timedelta(hours=1)
WITHDRAWN, RESTORED = ImportWithdrawn(BOB, NOON), ImportRestored(BOB)
OPERATES = "guildhall:operate"


def test_an_import_is_withdrawn_until_now_or_a_moment_before() -> None:
    state = folded(COMMUNITY, [FOUNDED])
    assert withdraw(state, BOB, None, NOON, MOST) == [WITHDRAWN]
    assert withdraw(state, BOB, BEFORE, NOON, MOST) == [ImportWithdrawn(BOB, BEFORE)]
    with pytest.raises(Invalid) as refused:
        withdraw(state, BOB, NOON + timedelta(microseconds=1), NOON, MOST)
    assert refused.value.pointer == "/until"


def test_withdrawn_again_it_stays_as_it_is_unless_another_moment_is_named() -> None:
    state, later = folded(COMMUNITY, [FOUNDED, WITHDRAWN]), NOON + timedelta(days=1)
    assert withdraw(state, BOB, None, later, MOST) == withdraw(state, BOB, NOON, later, MOST) == []
    assert withdraw(state, BOB, later, later, MOST) == [ImportWithdrawn(BOB, later)]
    assert withdraw(state, BOB, BEFORE, later, MOST) == [ImportWithdrawn(BOB, BEFORE)]
    assert withdraw(state, ALICE, None, later, MOST) == [ImportWithdrawn(ALICE, later)]


def test_what_is_not_withdrawn_is_not_restored() -> None:
    assert restore(folded(COMMUNITY, [FOUNDED]), BOB) == restore(folded(COMMUNITY, [FOUNDED, WITHDRAWN]), ALICE) == []
    assert restore(folded(COMMUNITY, [FOUNDED, WITHDRAWN]), BOB) == [RESTORED]
    assert restore(folded(COMMUNITY, [FOUNDED, WITHDRAWN, RESTORED]), BOB) == []


def test_an_archived_communitys_numbers_are_still_read_so_its_imports_can_be_withdrawn() -> None:
    assert withdraw(folded(COMMUNITY, [FOUNDED, CommunityArchived()]), BOB, None, NOON, MOST) == [WITHDRAWN]


def test_so_many_imports_are_withdrawn_at_once_and_no_more() -> None:
    full = folded(COMMUNITY, [FOUNDED, *(ImportWithdrawn(UUID(int=n), NOON) for n in range(MOST))])
    with pytest.raises(Conflict):
        withdraw(full, BOB, None, NOON, MOST)
    with pytest.raises(Conflict):
        withdraw(folded(COMMUNITY, [FOUNDED, WITHDRAWN]), ALICE, None, NOON, 1)
    assert withdraw(full, UUID(int=1), BEFORE, NOON, MOST) == [ImportWithdrawn(UUID(int=1), BEFORE)]


@pytest.mark.parametrize(
    ("by", "importer", "may"),
    [
        ("owner", "owner", True),
        ("administrator", "owner", False),
        ("administrator", "administrator", False),
        ("administrator", "moderator", True),
        ("administrator", "", True),
        ("administrator", "self", False),
        ("owner", "self", True),
    ],
)
def test_an_import_is_judged_by_an_owner_or_from_above(by: str, importer: str, may: bool) -> None:
    judge = Holder(ALICE, frozenset({by}))
    judged = judge if importer == "self" else Holder(BOB, frozenset({importer} - {""}))
    if may:
        must_judge(judge, judged)
        return
    with pytest.raises(Forbidden):
        must_judge(judge, judged)


async def test_no_administrator_undoes_the_withdrawal_of_what_they_or_an_owner_brought_in(api: Api) -> None:
    path = await found(api)
    dora = await join(api, path, "dora")
    await grant(api, path, "administrator", dora["id"])
    own = (await api.by("alice").get(f"{path}/members/me")).json()["id"]
    for importer in (dora["id"], own):
        at = f"{path}/imports/{importer}/withdrawal"
        assert (await api.by("alice").put(at)).status_code == 204
        for refused in (api.by("dora").delete(at), api.by("dora").put(at, json={"until": "2020-01-01T00:00:00Z"})):
            assert (await refused).status_code == 403
        assert (await api.by("alice").delete(at)).status_code == 204
        assert (await api.by("dora").put(at)).status_code == 403


async def test_what_is_withdrawn_is_listed_by_pages(api: Api) -> None:
    path = await found(api)
    alice, at = api.by("alice"), f"{path}/imports/withdrawals?limit=2"
    for number in (3, 1, 2):
        assert (await alice.put(f"{path}/imports/{UUID(int=number)}/withdrawal")).status_code == 204
    first = (await alice.get(at)).json()
    second = (await alice.get(f"{at}&cursor={first['next']}")).json()
    assert [UUID(item["importer_id"]).int for item in first["items"] + second["items"]] == [1, 2, 3]
    assert second["next"] is None
    assert (await alice.get(f"{path}/imports/withdrawals?cursor={first['next']}x")).status_code == 400


async def test_administrators_and_operators_withdraw_and_restore_and_everybody_sees_it(api: Api) -> None:
    path = await found(api)
    carol = await join(api, path, "carol")
    await grant(api, path, "administrator", carol["id"])
    await join(api, path, "bob")
    importer = UUID(int=7)
    at = f"{path}/imports/{importer}/withdrawal"
    assert (await api.by("bob").put(at)).status_code == 403

    for client in (api.by("alice"), api.by("carol"), api.by("oscar", OPERATES)):
        assert (await client.put(at)).status_code == 204
        assert (await client.put(at)).status_code == 204
        (shown,) = (await api.by("bob").get(f"{path}/imports/withdrawals")).json()["items"]
        assert shown["importer_id"] == str(importer)
        assert datetime.now(UTC) - datetime.fromisoformat(shown["until"]) < timedelta(minutes=1)
        assert (await client.delete(at)).status_code == 204
        assert (await api.by("bob").get(f"{path}/imports/withdrawals")).json()["items"] == []


async def test_the_moment_until_which_it_is_withdrawn_may_be_named(api: Api) -> None:
    path = await found(api)
    alice, at = api.by("alice"), f"{path}/imports/{UUID(int=7)}/withdrawal"
    for until, kept in (("2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00Z"), ("2026-02-01T00:00:00Z",) * 2):
        assert (await alice.put(at, json={"until": until})).status_code == 204
        (shown,) = (await alice.get(f"{path}/imports/withdrawals")).json()["items"]
        assert shown["until"] == kept
    beyond = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")  # in UTC there is no such day
    for wrong in ("2999-01-01T00:00:00Z", "2026-02-01T00:00:00", 1_700_000_000, "yesterday", *beyond):
        refused = await alice.put(at, json={"until": wrong})
        assert refused.status_code == 422
        assert "/until" in refused.text
