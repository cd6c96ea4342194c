"""Words of applications and removals that nobody is shown any more are forgotten; those of a profile at once."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from services.member.tables import metadata
from shared.vault import OwnWords
from tests.member.api import found, join
from tests.member.running import Api
from tests.vaults import forget, kept, noted_and_found

VAULT = metadata.tables["vault"]


def answering(text: str) -> dict[str, object]:
    return {"answers": [{"question": "Why?", "answer": text}]}


async def test_an_application_is_forgotten_once_it_is_taken_back_and_the_same_sent_again_stays(api: Api) -> None:
    path = await found(api, admission="application")
    bob = api.by("bob")
    for _ in range(2):
        await bob.delete(f"{path}/members/me")
        applied = await bob.post(f"{path}/members", json=answering("Answer-zq."))
        assert applied.json()["application"]["answers"][0]["answer"] == "Answer-zq."
        await forget(api.runtime)
    assert await kept(api.runtime, "Answer-zq") == ["Answer-zq"]
    again = await bob.post(f"{path}/members", json=answering("Answer-zq."))
    assert again.headers["etag"] == applied.headers["etag"]
    assert again.json()["application"]["answers"][0]["answer"] == "Answer-zq."
    await bob.delete(f"{path}/members/me")
    await forget(api.runtime)
    assert await kept(api.runtime, "Answer-zq") == []
    assert (await bob.get(f"{path}/members/me")).json()["application"] == {"answers": None, "reason": None}


async def test_an_application_is_forgotten_once_it_is_accepted_and_a_declined_one_is_shown_on(api: Api) -> None:
    path = await found(api, admission="application")
    alice, bob, carol = api.by("alice"), api.by("bob"), api.by("carol")
    accepted = (await bob.post(f"{path}/members", json=answering("Accepted-zq."))).json()["id"]
    declined = (await carol.post(f"{path}/members", json=answering("Declined-zq."))).json()["id"]
    await alice.post(f"{path}/members/{accepted}/acceptance")
    await alice.post(f"{path}/members/{declined}/decline", json={"reason": "Reason-zq."})
    await forget(api.runtime)
    words = ("Accepted-zq", "Declined-zq", "Reason-zq")
    assert await kept(api.runtime, *words) == ["Declined-zq", "Reason-zq"]
    shown = (await carol.get(f"{path}/members/me")).json()["application"]
    assert (shown["answers"][0]["answer"], shown["reason"]) == ("Declined-zq.", "Reason-zq.")

    # The same words sent again after a decision are new ones.
    for again in ("Declined-zq.", "Declined-zq."):
        await carol.post(f"{path}/members", json=answering(again))
        await forget(api.runtime)
    assert await kept(api.runtime, *words) == ["Declined-zq"]
    await alice.post(f"{path}/members/{declined}/decline", json={"reason": "Reason-zq."})
    repeated = await alice.post(f"{path}/members/{declined}/decline", json={"reason": "Reason-zq."})
    await forget(api.runtime)
    assert repeated.status_code == 200
    shown = (await carol.get(f"{path}/members/me")).json()["application"]
    assert (shown["answers"][0]["answer"], shown["reason"]) == ("Declined-zq.", "Reason-zq.")


async def test_why_one_was_removed_is_kept_until_one_applies_again(api: Api) -> None:
    path = await found(api)
    bob, member = api.by("bob"), (await join(api, path, "bob"))["id"]
    removed = f"{path}/members/{member}"
    assert (await api.by("alice").request("DELETE", removed, json={"reason": "Removed-zq."})).status_code == 204
    await forget(api.runtime)
    assert (await bob.get(f"{path}/members/me")).json()["removal"] == {"reason": "Removed-zq."}
    await bob.post(f"{path}/members", json=answering("Sorry-zq."))
    await forget(api.runtime)
    assert await kept(api.runtime, "Removed-zq", "Sorry-zq") == ["Sorry-zq"]


async def test_a_profile_that_was_replaced_is_gone_at_once_and_no_retry_brings_it_back(api: Api) -> None:
    path = await found(api)
    profile, alice, key = f"{path}/members/me/profile", api.by("alice"), {"idempotency-key": "k"}
    early, late = {"bio": "Early-zq."}, {"bio": "Late-zq."}
    assert (await alice.put(profile, json=early, headers=key)).json() == early
    assert (await alice.put(profile, json=early, headers=key)).json() == early
    assert (await alice.put(profile, json=late)).json() == late
    assert (await alice.put(profile, json=early, headers=key)).json() == {"bio": None}
    assert (await alice.get(profile)).json() == late
    assert await kept(api.runtime, "Early-zq", "Late-zq") == ["Late-zq"]
    await alice.delete(profile)
    assert (await alice.put(profile, json=early, headers=key)).json() == {"bio": None}
    assert (await alice.get(profile)).json() == {}
    assert await kept(api.runtime, "Early-zq", "Late-zq") == []
    assert (await alice.put(profile, json=early)).json() == early


async def test_a_profile_put_twice_and_another_at_once_has_the_words_that_stand(api: Api) -> None:
    path = await found(api)
    profile, alice = f"{path}/members/me/profile", api.by("alice")
    for _ in range(10):
        bodies = [{"bio": "Same."}, {"bio": "Other."}] * 4
        answers = await asyncio.gather(*(alice.put(profile, json=body) for body in bodies))
        assert {answer.status_code for answer in answers} <= {200, 409}
        assert {answer.headers.get("retry-after") for answer in answers if answer.status_code == 409} <= {"1"}
        assert (await alice.get(profile)).json() in bodies


async def test_what_a_crash_left_of_a_profile_is_forgotten_later(api: Api) -> None:
    path = await found(api)
    profile, alice = f"{path}/members/me/profile", api.by("alice")
    await alice.put(profile, json={"bio": "Crashed-zq."})
    before = sa.select(VAULT).where(VAULT.c.content.contains(b"Crashed-zq"))
    async with api.runtime.engine.begin() as connection:
        row = (await connection.execute(before)).one()
    await alice.put(profile, json={"bio": "After."})
    # As if the process had died between the append, which notes the words, and forgetting them.
    was = {"content": row.content, "subject": row.subject, "superseded_at": sa.func.now()}
    async with api.runtime.engine.begin() as connection:
        await connection.execute(sa.update(VAULT).where(VAULT.c.ref == row.ref).values(was))
    assert await forget(api.runtime) >= 1
    assert await kept(api.runtime, "Crashed-zq") == []
    assert (await alice.get(profile)).json() == {"bio": "After."}


async def test_what_was_left_behind_before_anybody_noted_it_is_found_by_the_migration(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        """As if each process had died between the append and forgetting."""

    monkeypatch.setattr(OwnWords, "forget", dies)
    path = await found(api, admission="application")
    alice = api.by("alice")
    applied = {}
    for who in ("bob", "carol", "dora", "emil", "finn"):
        answer = await api.by(who).post(f"{path}/members", json=answering(f"Of {who}."))
        applied[who] = f"{path}/members/{answer.json()['id']}"
        await api.by(who).put(f"{path}/members/me/profile", json={"bio": "One."})
    for who in ("bob", "carol"):
        await alice.post(f"{applied[who]}/acceptance")
    await alice.request("DELETE", applied["carol"], json={"reason": "Away."})
    await alice.post(f"{applied['dora']}/decline", json={"reason": "No."})
    await api.by("emil").delete(f"{path}/members/me")
    await alice.put(f"{path}/members/me/profile", json={"bio": "Alice."})
    noted, found_out = await noted_and_found(api.runtime)
    assert len(noted) >= 3
    assert found_out == noted
