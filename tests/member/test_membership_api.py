"""Membership over HTTP, on a real database: joining, applying, being decided about, leaving, coming again."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx2 as httpx

from tests.member.api import Json, after, found, grant, join
from tests.member.running import Api

ANSWERS = {"answers": [{"question": "What brings you here?", "answer": "I grow tomatoes."}]}


async def test_one_joins_an_open_community_once(api: Api) -> None:
    path = await found(api)
    first = await api.by("bob").post(f"{path}/members")
    again = await api.by("bob").post(f"{path}/members")

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert (first.json()["status"], first.json()["roles"]) == ("member", ["member"])
    assert first.headers["etag"] == again.headers["etag"]
    assert (await api.by("bob").get(first.headers["location"])).json() == first.json()


async def test_who_leaves_and_comes_again_is_the_same_member(api: Api) -> None:
    path = await found(api)
    bob = api.by("bob")
    joined = await join(api, path, "bob")

    assert (await bob.delete(f"{path}/members/me")).status_code == 204
    assert (await bob.delete(f"{path}/members/me")).status_code == 204
    left = (await bob.get(f"{path}/members/me")).json()
    back = await join(api, path, "bob")

    assert (left["id"], left["status"], left["roles"]) == (joined["id"], "left", [])
    assert (back["id"], back["status"], back["times_joined"]) == (joined["id"], "member", 2)
    assert back["status_since"] > joined["status_since"]


async def test_roles_end_with_leaving(api: Api) -> None:
    path = await found(api)
    bob = await join(api, path, "bob")
    await grant(api, path, "moderator", bob["id"])

    await api.by("bob").delete(f"{path}/members/me")

    assert (await join(api, path, "bob"))["roles"] == ["member"]


async def test_an_application_is_answered_by_a_moderator_who_sees_what_was_said(api: Api) -> None:
    path = await found(api, admission="application")
    applied = await api.by("bob").post(f"{path}/members", json=ANSWERS)
    bob = applied.json()["id"]
    seen = (await api.by("alice").get(f"{path}/members/{bob}")).json()
    accepted = await api.by("alice").post(f"{path}/members/{bob}/acceptance")

    assert (applied.status_code, applied.json()["status"]) == (201, "applicant")
    assert seen["application"] == {**ANSWERS, "reason": None}
    assert (accepted.status_code, accepted.json()["status"]) == (200, "member")
    assert (await api.by("alice").post(f"{path}/members/{bob}/acceptance")).status_code == 200
    assert (await api.by("bob").post(f"{path}/members", json=ANSWERS)).json()["status"] == "member"


async def test_the_same_application_may_be_repeated_and_another_waits_for_its_turn(api: Api) -> None:
    path = await found(api, admission="application")
    bob = api.by("bob")
    first = await bob.post(f"{path}/members", json=ANSWERS)
    again = await bob.post(f"{path}/members", json=ANSWERS)
    other = await bob.post(f"{path}/members")

    assert first.json() == again.json()
    assert first.headers["etag"] == again.headers["etag"]
    assert other.status_code == 409


async def test_a_declined_applicant_reads_why_and_may_apply_again(api: Api) -> None:
    path = await found(api, admission="application")
    bob, alice = api.by("bob"), api.by("alice")
    member = (await bob.post(f"{path}/members", json=ANSWERS)).json()["id"]
    declined = await alice.post(f"{path}/members/{member}/decline", json={"reason": "Tell us more."})
    again = await alice.post(f"{path}/members/{member}/decline", json={"reason": "Tell us more."})
    otherwise = await alice.post(f"{path}/members/{member}/decline", json={"reason": "No."})

    assert (declined.status_code, again.json()) == (200, declined.json())
    assert otherwise.status_code == 409
    assert (await bob.get(f"{path}/members/me")).json()["application"]["reason"] == "Tell us more."
    assert (await bob.post(f"{path}/members", json=ANSWERS)).json()["status"] == "applicant"


async def test_applications_are_for_moderators_and_for_whom_they_are_about(api: Api) -> None:
    path = await found(api, admission="application")
    applied = await api.by("bob").post(f"{path}/members", json=ANSWERS)
    member = applied.json()["id"]

    assert (await api.by("carol").get(f"{path}/members/{member}")).status_code == 404
    assert (await api.by("carol").get(f"{path}/members?status=applicant")).status_code == 403
    assert (await api.by("bob").post(f"{path}/members/{member}/acceptance")).status_code == 403
    waiting = await after(api.by("alice"), applied, f"{path}/members?status=applicant")
    assert [item["id"] for item in waiting["items"]] == [member]


async def test_a_community_for_members_may_be_asked_to_let_one_in(api: Api) -> None:
    path = await found(api, admission="application", visibility="members")
    bob = api.by("bob")
    assert (await bob.get(f"{path}/members/me")).status_code == 404

    applied = await bob.post(f"{path}/members")
    member = applied.json()["id"]
    assert (await bob.get(f"{path}/members/me")).json()["status"] == "applicant"
    assert (await bob.get(f"{path}/members")).status_code == 404
    await api.by("alice").post(f"{path}/members/{member}/acceptance")

    assert (await bob.get(f"{path}/members")).status_code == 200


async def test_an_admission_that_was_changed_counts_from_the_next_request(api: Api) -> None:
    path = await found(api)
    await api.by("alice").patch(path, json={"admission": "application"})
    assert (await join(api, path, "bob"))["status"] == "applicant"
    await api.by("alice").patch(path, json={"admission": "open"})
    assert (await join(api, path, "bob"))["status"] == "member"


async def test_the_roster_lists_members_the_newest_first_and_by_role(api: Api) -> None:
    path = await found(api)
    ids = [(await join(api, path, who))["id"] for who in ("bob", "carol", "dora")]
    last = await api.by("alice").put(f"{path}/roles/moderator/members/{ids[0]}")

    everybody = await after(api.by("zoe"), last, f"{path}/members")
    moderators = await after(api.by("zoe"), last, f"{path}/members?role=moderator")

    assert [item["id"] for item in everybody["items"]][:3] == ids[::-1]
    assert [(item["id"], item["roles"]) for item in moderators["items"]] == [(ids[0], ["moderator", "member"])]


async def test_nobody_is_found_who_never_came(api: Api) -> None:
    path = await found(api)
    assert (await api.by("alice").get(f"{path}/members/{uuid4()}")).status_code == 404
    assert (await api.by("alice").get(f"{path}/members/nobody")).status_code == 422
    assert (await api.by("bob").get(f"{path}/members/me")).status_code == 404


async def test_a_backfill_lets_members_in_at_the_time_they_joined(api: Api) -> None:
    path = await found(api, admission="application")
    lines = (
        b'{"command":"join","source":"old:1","subject":"old:1","occurred_at":"2011-08-17T20:18:56.507Z"}\n'
        b'{"command":"join","source":"old:2","subject":null,"occurred_at":"2011-08-17T20:18:56.507Z"}\n'
    )
    client = api.by("alice", "guildhall:backfill")
    first = await _sent(client, path, lines)
    again = await _sent(client, path, lines)

    assert [line["status"] for line in first] == ["applied", "rejected"]
    assert [line["status"] for line in again] == ["repeated", "rejected"]
    assert first[1]["problem"]["errors"][0]["pointer"] == "/subject"
    shown = (await api.by("alice").get(f"{path}/members/{first[0]['member']}")).json()
    assert (shown["status"], shown["status_since"]) == ("member", "2011-08-17T20:18:56.507000Z")


async def test_who_was_brought_in_and_has_left_is_not_brought_back(api: Api) -> None:
    path = await found(api)
    line = b'{"command":"join","source":"old:1","subject":"bob","occurred_at":"2011-08-17T20:18:56.507Z"}'
    later = line.replace(b"2011", b"2012")
    client, bob = api.by("alice", "guildhall:backfill"), api.by("bob")
    assert (await _sent(client, path, line))[0]["status"] == "applied"
    assert (await bob.delete(f"{path}/members/me")).status_code == 204

    assert (await _sent(client, path, line))[0]["status"] == "repeated"
    assert (await bob.get(f"{path}/members/me")).json()["status"] == "left"
    (known,) = await _sent(client, path, later)
    assert (known["status"], known["left_out"][0]["pointer"]) == ("repeated", "")
    assert (await bob.get(f"{path}/members/me")).json()["times_joined"] == 1


async def test_a_backfill_marks_robots_also_those_who_joined_before_and_takes_no_mark_away(api: Api) -> None:
    path, client = await found(api), api.by("alice", "guildhall:backfill")

    async def sent(**changes: object) -> tuple[str, bool]:
        joining = {"command": "join", "source": "old:-1", "subject": "old:-1", "occurred_at": "2011-08-17T20:18:56Z"}
        (answer,) = await _sent(client, path, json.dumps({**joining, **changes}).encode())
        member = (await client.get(f"{path}/members/{answer['member']}")).json()
        return answer["status"], member["robot"]

    assert await sent() == ("applied", False)
    assert await sent(robot=True) == ("applied", True)
    assert await sent(robot=True) == ("repeated", True)
    assert await sent() == ("repeated", True)
    assert await sent(subject="old:-2", robot=True) == ("applied", True)
    assert await sent(subject="old:-2", robot=True) == ("repeated", True)


async def test_nothing_is_decided_about_who_never_came(api: Api) -> None:
    path = await found(api)
    stranger, alice = uuid4(), api.by("alice")
    for decision in ("acceptance", "decline"):
        assert (await alice.post(f"{path}/members/{stranger}/{decision}")).status_code == 404
    for role in ("moderator", "owner"):
        assert (await alice.put(f"{path}/roles/{role}/members/{stranger}")).status_code == 404


async def _sent(client: httpx.AsyncClient, path: str, lines: bytes) -> list[Json]:
    """The answers to a backfill's lines."""
    answer = await client.post(
        f"{path}/member/backfill", content=lines, headers={"content-type": "application/x-ndjson"}
    )
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_an_application_is_kept_as_it_was_sent_and_compared_by_what_is_kept(api: Api) -> None:
    path = await found(api, admission="application")
    answer = "  I grow:\n\n- tomatoes  "

    def saying(question: str, answer: str) -> Json:
        return {"answers": [{"question": question, "answer": answer}]}

    applied = await api.by("bob").post(f"{path}/members", json=saying(" Why?\u200b", f"{answer}\n"))
    again = await api.by("bob").post(f"{path}/members", json=saying("Why?", f"{answer}\r\n"))
    seen = (await api.by("alice").get(f"{path}/members/{applied.json()['id']}")).json()
    assert seen["application"]["answers"] == [{"question": "Why?", "answer": answer}]
    assert again.headers["etag"] == applied.headers["etag"]

    for wrong in (saying("Why\u202e?", "So."), saying("\u3164", "So."), saying("Why?", " \n\u200b")):
        assert (await api.by("carol").post(f"{path}/members", json=wrong)).status_code == 422
    reason = "  Tell us\n\n    more  "
    decline = f"{path}/members/{applied.json()['id']}/decline"
    assert (await api.by("alice").post(decline, json={"reason": "\u2800"})).status_code == 422
    assert (await api.by("alice").post(decline, json={"reason": f"{reason}\n"})).json()["application"][
        "reason"
    ] == reason
