"""No operation passes over a precondition, and a tag stands for all that is shown (RFC 9110, 13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.city.city import City
from tests.city.kinds import KINDS
from tests.city.village import Village
from tests.security.everything import reads, with_headers, writes
from tests.security.matrix import NOWHERE
from tests.security.policy import POLICY
from tests.security.test_authorization import settled


@pytest.fixture(scope="module")
async def village(town: City) -> Village:
    return await settled(town, "preconditions", "public")


async def test_what_has_a_tag_is_not_sent_to_who_has_it(village: Village) -> None:
    tagged = 0
    for get in reads(village):
        shown = await village.city.ask(get)
        tag = shown.header(b"etag")
        if tag is None:
            everything = await village.city.ask(with_headers(get, (b"if-none-match", b"*")))
            nothing = await village.city.ask(with_headers(get, (b"if-none-match", b'"1"')))
            other = await village.city.ask(with_headers(get, (b"if-match", b'"1"')))
            assert (everything.status, nothing.status, other.status) == (304, 200, 412), get.target
            continue
        tagged += 1
        for method in ("GET", "HEAD"):
            get = replace(get, method=method)
            for header, value, status in (
                (b"if-none-match", tag, 304),
                (b"if-none-match", b"W/" + tag, 304),
                (b"if-none-match", b'"x", ' + tag, 304),
                (b"if-none-match", b"*", 304),
                (b"if-none-match", b'"x"', 200),
                (b"if-none-match", b"x", 400),
                (b"if-match", tag, 200),
                (b"if-match", b"*", 200),
                (b"if-match", b'"x", ' + tag, 200),
                (b"if-match", b"W/" + tag, 412),
                (b"if-match", b'"x"', 412),
                (b"if-match", tag[1:-1], 400),
                (b"if-modified-since", b"Fri, 01 Jan 2100 00:00:00 GMT", 200),
                (b"if-unmodified-since", b"Thu, 01 Jan 1970 00:00:00 GMT", 200),
                (b"range", b"bytes=0-1", 200),
            ):
                answer = await village.city.ask(with_headers(get, (header, value)))
                assert answer.status == status, (get.target, header, value)
                if status == 304:
                    assert not answer.body
                    assert answer.header(b"content-type") is None
                    assert answer.header(b"content-length") is None
                    for name in (b"etag", b"cache-control", b"vary"):
                        assert answer.header(name) == shown.header(name)
        both = await village.city.ask(with_headers(get, (b"if-match", b'"x"'), (b"if-none-match", tag)))
        assert both.status == 412
    assert tagged >= 7


async def test_a_tag_changes_with_everything_that_is_shown(village: Village) -> None:
    thread = await village.make("thread")
    suggestion = await village.make("suggestion")
    changes: list[tuple[str, str, Callable[[], Iterator[tuple[str, str, str, str, object]]]]] = [
        (
            "content",
            f"/threads/{thread}",
            lambda: iter([("member", "content", "POST", f"/threads/{thread}/replies", {"body": "x"})]),
        ),
        (
            "feedback",
            f"/suggestions/{suggestion}",
            lambda: iter([("member", "feedback", "PUT", f"/suggestions/{suggestion}/votes/me", None)]),
        ),
    ]
    for service, path, steps in changes:
        before = await village.ask("member", service, "GET", path)
        for step in steps():
            await village.must(*step)
        seen = (before.header(b"etag") or b"").decode()
        for _ in range(100):
            after = await village.ask("member", service, "GET", path, if_none_match=seen)
            if after.status == 200:
                break
            await asyncio.sleep(0.05)
        assert after.status == 200, path
        assert after.header(b"etag") != before.header(b"etag")
        assert after.json() != before.json()
        # What is counted beside it stands in no change's way.
    changed = await village.ask("author", "content", "PATCH", f"/threads/{thread}", {"title": "New"}, if_match='"1"')
    assert changed.status == 200


async def test_no_operation_passes_over_a_precondition(village: Village) -> None:
    """What is there is not made anew, what was not seen is not changed; each operation says so and writes nothing."""
    wrong, before = [], await village.city.events()
    for case in writes(village):
        request = case.request(case.thing())
        for header, value in (
            (b"if-match", b'"4711"'),
            (b"if-match", b'W/"1"'),
            (b"if-match", b'"x", "y"'),
            (b"if-match", b"1"),
            (b"if-none-match", b"1"),
        ):
            answer = await village.city.ask(with_headers(request, (header, value)))
            status = 400 if value == b"1" else 412
            if answer.status != status or answer.json()["errors"][0]["parameter"].lower() != header.decode():
                wrong.append((case.operation.id, header, value, answer.status, answer.body[:200]))
    assert wrong == []
    assert await village.city.events() == before


async def test_what_is_there_is_not_made_anew(village: Village) -> None:
    wrong = []
    for case in writes(village):
        op, before = case.operation, await village.city.events()
        if op.id in ("put_reaction", "put_view", "vote_for_suggestion", "accept_answer", "grant_role"):
            continue  # makes what is not there; tried below
        answer = await village.city.ask(with_headers(case.request(case.thing()), (b"if-none-match", b"*")))
        there = op.id not in (
            "withdraw_reaction",
            "withdraw_vote",
            "withdraw_acceptance",
            "revoke_role",
            "replace_profile",
        )
        if there and (answer.status != 412 or await village.city.events() != before):
            wrong.append((op.id, answer.status, answer.body[:200]))
    assert wrong == []


async def test_a_thing_is_given_only_if_it_is_not_there_and_taken_only_if_it_is(village: Village) -> None:
    thread, suggestion = await village.make("thread"), await village.make("suggestion")
    reply = await village.make("reply", "owner", within=thread)
    member = village.member_ids["trainee"]
    for who, service, path, body in (
        ("member", "engagement", f"/reactions/{thread}/like", None),
        ("member", "feedback", f"/suggestions/{suggestion}/votes/me", None),
        ("author", "content", f"/threads/{thread}/accepted-answer", {"reply_id": reply}),
        ("owner", "member", f"/roles/moderator/members/{member}", None),
        ("owner", "member", f"/roles/owner/members/{member}", None),
    ):
        for _ in range(2):  # and again after it was withdrawn
            for method, headers, status in (
                ("DELETE", {"if_match": "*"}, 412),
                ("PUT", {"if_match": "*"}, 412),
                ("PUT", {"if_none_match": "*"}, 204),
                ("PUT", {"if_none_match": "*"}, 412),
                ("PUT", {"if_match": "*"}, 204),
                ("DELETE", {"if_match": "*"}, 204),
            ):
                for _ in range(100):
                    answer = await village.ask(who, service, method, path, body if method == "PUT" else None, **headers)
                    if answer.status not in (409, 503):
                        break
                    await asyncio.sleep(0.05)
                assert answer.status == status, (method, path, headers, answer.body)


async def test_a_profile_is_made_or_changed_as_asked(village: Village) -> None:
    words = {"display_name": "Ada"}
    path = "/members/me/profile"
    assert (await village.ask("trainee", "member", "PUT", path, words, if_match="*")).status == 412
    made = await village.ask("trainee", "member", "PUT", path, words, if_none_match="*")
    assert (made.status, made.header(b"etag")) == (200, b'"1"')
    assert (await village.ask("trainee", "member", "PUT", path, words, if_none_match="*")).status == 412
    assert (
        await village.ask("trainee", "member", "PUT", path, {"display_name": "B"}, if_none_match='W/"1"')
    ).status == 412
    assert (
        await village.ask("trainee", "member", "PUT", path, {"display_name": "B"}, if_none_match='"7"')
    ).status == 200


async def test_only_what_is_there_is_changed(village: Village) -> None:
    for case in writes(village):
        op = case.operation
        thing = POLICY[op.id].thing
        if thing is None or KINDS[thing].person is not None or POLICY[op.id].elsewhere == "nothing":
            continue
        request = replace(case, belongs_to="nowhere").request(NOWHERE)
        assert (await village.city.ask(request)).status == 404, op.id
        for value in (b"*", b'"1"'):
            answer = await village.city.ask(with_headers(request, (b"if-match", value)))
            assert answer.status == 412, (op.id, value)


async def test_a_repetition_with_its_key_is_answered_whatever_its_precondition(village: Village) -> None:
    suggestion = await village.make("suggestion")
    for headers in ({"if_match": '"1"'}, {"if_none_match": '"2"'}):
        path, body = f"/suggestions/{suggestion}/answer", {"text": f"Yes, {headers}."}
        version = (await village.ask("owner", "feedback", "GET", f"/suggestions/{suggestion}")).header(b"etag")
        assert version is not None
        asked = {"if_match": version.decode()} if "if_match" in headers else {"if_none_match": '"4711"'}
        answers = [
            await village.ask("moderator", "feedback", "POST", path, body, idempotency_key=str(headers), **asked)
            for _ in range(2)
        ]
        assert [answer.status for answer in answers] == [answers[0].status] * 2
        assert answers[0].header(b"etag") == answers[1].header(b"etag")
    posted = [
        await village.ask(
            "member",
            "feedback",
            "POST",
            "/suggestions",
            {"title": "x", "body": "y"},
            idempotency_key="once",
            if_match="*",
        )
        for _ in range(2)
    ]
    assert [answer.status for answer in posted] == [201, 201]
    assert posted[0].json()["id"] == posted[1].json()["id"]
