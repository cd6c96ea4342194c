"""Nobody is taken for somebody else by a name, words that are not one's own say so, and what one takes back is gone.

Attacks 12, 17 and 18. Pairs of names that look alike: `tests/member/test_lookalikes.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.attacks.target import BELIEVED, Place, Target, until

UNSEEN = {
    "nothing that shows": "\u200b",
    "a filler": "\u3164",
    "variation selectors": "\ufe0f\ufe0f",
    "an empty Braille cell": "\u2800",
    "soft hyphens": "\u00ad\u00ad",
    "tags": "\U000e0041\U000e0042",
    "marks alone": "\u0301\u0302",
    "an override": "Ada\u202egro.live",
    "an embedding": "A\u202ada",
    "an isolate": "Ada\u2066Ada",
    "a terminal's escape": "\x1b[31mAda",
    "a one-byte escape": "\x9b31mAda",
    "a line break": "Ada\nLovelace",
    "a line separator": "Ada\u2028Lovelace",
    "a NUL": "Ada\x00",
    "a private character": "Ada\ue000",
    "a non-character": "Ada\ufdd0",
    "a hidden space within": "A\u200bda",
    "a word joiner within": "A\u2060da",
    "an invisible operator": "A\u2063da",
    "an empty Braille cell within": "Ada\u2800Lovelace",
    "a note without a head within": "Ada\U0001d159Lovelace",
    "a blank hieroglyph within": "Ada\U00013441Lovelace",
    "what stands for an object within": "Ada\ufffcLovelace",
    "a filler of another script": "Ada Lovelace\U00016fe4x",
    "a mark of another script": "Ada Lovelace\u070fx",
}
FIELDS: dict[str, tuple[str, str, Any]] = {
    "a display name": ("PUT", "/members/me/profile", lambda name: {"display_name": name}),
    "a need": ("PUT", "/members/me/profile", lambda name: {"needs": [name]}),
    "a community": ("PATCH", "", lambda name: {"name": name}),
    "a channel": ("POST", "/channels", lambda name: {"name": name}),
    "a suggestion": ("POST", "/suggestions", lambda name: {"title": name}),
}


@pytest.mark.parametrize("field", FIELDS)
async def test_nothing_hides_or_turns_round_in_a_name(target: Target, field: str) -> None:
    """17: U+200B, U+3164, U+202E, `\\x1b[31m` and their kin, in everything that is called something."""
    method, path, body = FIELDS[field]
    place = await target.found("bob")
    for what, name in UNSEEN.items():
        answer = await place.by("alice", method, path, body(name))
        assert answer.status_code in (400, 422), (field, what, answer.text)
        assert name not in answer.text, (field, what)


@pytest.mark.parametrize("role", ["owner", "administrator", "moderator"])
async def test_nobody_calls_themselves_as_a_role_holder_is_called(target: Target, role: str) -> None:
    """17: the very name, look-alikes of other scripts, widths, cases, digits, spaces and what does not show."""
    place = await target.found("mallory", olga=role)
    await place.must("olga", "PUT", "/members/me/profile", {"display_name": "Ada Lovelace"})
    listed = f"/members/{place.ids['olga']}"

    async def is_called() -> bool:
        found = await place.must("alice", "GET", "/members?limit=200")
        return any(item["display_name"] == "Ada Lovelace" for item in found["items"])

    await until(is_called)
    for name in (
        "Ada Lovelace",
        "ada LOVELACE",
        "Аdа Lоvеlасе",
        "Αda Lovelace",
        "Ａｄａ Ｌｏｖｅｌａｃｅ",
        "𝐀𝐝𝐚 𝓛ovelace",
        "Ada  Lovelace",
        "Ada\u00a0Lovelace",
        "Ada Love1ace",
        "Ada LoveIace",
        " Ada Lovelace ",
        "Ada Lovelace\u200e",
        "Ada\u0301 Lovelace"[:3] + "\u034f Lovelace",
    ):
        answer = await place.by("mallory", "PUT", "/members/me/profile", {"display_name": name})
        assert answer.status_code == 422, (role, name.encode("unicode_escape"), answer.text)
    assert (await place.must("alice", "GET", listed))["id"] == place.ids["olga"]
    assert (await place.by("mallory", "PUT", "/members/me/profile", {"display_name": "Ada L."})).status_code == 200


async def test_a_moderator_does_not_take_the_name_of_who_stands_above(target: Target) -> None:
    """17, kin: the owner's profile emptied by a moderator, who is then called as the owner was."""
    place = await target.found(mo="moderator", dora="administrator")
    await place.must("alice", "PUT", "/members/me/profile", {"display_name": "Ada Lovelace"})
    await asyncio.sleep(BELIEVED)
    for who in ("mo", "dora"):
        answer = await place.by(who, "DELETE", f"/members/{place.ids['alice']}/profile")
        assert answer.status_code == 403, (who, answer.status_code)
    assert (await place.by("dora", "PUT", f"/members/{place.ids['alice']}/robot")).status_code == 403


@pytest.mark.parametrize("what", ["words", "title", "tags"])
async def test_words_that_a_moderator_put_say_so(target: Target, what: str) -> None:
    """18: whatever of a thread is changed, and replies and comments; alone, and in every list."""
    place = await target.found("bob", mo="moderator")
    thread = await place.thread("bob")
    reply, comment = await place.reply("bob", thread), await place.comment("bob", thread)
    body = {"words": {"body": "I resign."}, "title": {"title": "I resign"}, "tags": {"tags": ["resignation"]}}[what]
    changed = [("/threads", f"/threads/{thread}", body)]
    if what == "words":
        changed += [
            (f"/threads/{thread}/replies", f"/replies/{reply}", body),
            (f"/threads/{thread}/comments", f"/comments/{comment}", body),
        ]
    for among, path, words in changed:
        answer = await place.by("mo", "PATCH", path, words)
        assert answer.json()["edited_by"] == place.ids["mo"], answer.text
        assert (await place.must("bob", "GET", path))["edited_by"] == place.ids["mo"]
        (item,) = (await place.shown("bob", among, answer))["items"]
        assert (item["author_id"], item["edited_by"]) == (place.ids["bob"], place.ids["mo"])


async def _vault(place: Place, service: str, words: str) -> int:
    """How many rows of a service's vault hold these words."""
    (found,) = await place.target.rows(
        service, "select count(*) as n from vault where position($1 in convert_from(content, 'utf8')) > 0", words
    )
    return int(found["n"])


async def test_a_profile_goes_with_its_member_and_old_ones_at_once(target: Target) -> None:
    """12: who has left is seen by nobody, can still empty it, and no old one lies in the vault."""
    place = await target.found("bob", "carol")
    bob, mark = place.ids["bob"], f"zxqv {place.slug}"
    profiles = [
        {
            "display_name": f"Name {n} {mark}",
            "bio": f"Bio {n} {mark}",
            "needs": [f"Need {n} {mark}"],
            "skills": [f"S {n} {mark}"],
        }
        for n in range(5)
    ]
    for one in profiles:
        await place.must("bob", "PUT", "/members/me/profile", one)
    assert await _vault(place, "member", f"4 {mark}") == 1
    for n in range(4):
        assert await _vault(place, "member", f"{n} {mark}") == 0, "words that were replaced lie in the vault"
    await place.must("bob", "DELETE", "/members/me")
    await asyncio.sleep(BELIEVED)
    for who in ("carol", "stranger"):
        for path in (f"/members/{bob}/profile", f"/members/{bob}", "/members?status=left", "/members"):
            answer = await place.by(who, "GET", path)
            assert "zxqv" not in answer.text, (who, path, answer.text)
    assert (await place.by("bob", "PUT", "/members/me/profile", profiles[0])).status_code == 403
    await place.must("bob", "PUT", "/members/me/profile", {})
    assert await _vault(place, "member", f"4 {mark}") == 0
    assert (await place.must("bob", "GET", f"/members/{bob}/profile")) == {}


@pytest.mark.parametrize("visibility", ["public", "members"])
async def test_whoever_has_gone_takes_away_what_is_theirs(target: Target, visibility: str) -> None:
    """12, kin: threads, replies, comments, suggestions, reactions, votes; also out of a community for members."""
    place = await target.found("bob", visibility=visibility)
    thread = await place.thread()
    own = await place.thread("bob")
    reply, comment = await place.reply("bob", thread), await place.comment("bob", thread)
    suggestion, other = await place.suggestion("bob"), await place.suggestion()
    await place.must("bob", "PUT", f"/reactions/{thread}/like")
    await place.must("bob", "PUT", f"/suggestions/{other}/votes/me")
    if visibility == "members":
        await place.must("alice", "DELETE", f"/members/{place.ids['bob']}")
    else:
        await place.must("bob", "DELETE", "/members/me")
    await place.must("alice", "POST", "/archive")
    await asyncio.sleep(BELIEVED)

    for path in (
        f"/threads/{own}",
        f"/replies/{reply}",
        f"/comments/{comment}",
        f"/suggestions/{suggestion}",
        f"/reactions/{thread}/like",
        f"/suggestions/{other}/votes/me",
        "/members/me/profile",
    ):
        assert (await place.by("bob", "DELETE", path)).status_code == 204, path
    for path in (f"/threads/{thread}", f"/suggestions/{other}"):
        assert (await place.by("bob", "DELETE", path)).status_code == (404 if visibility == "members" else 403), path


async def test_answers_of_an_application_go_when_it_is_taken_back(target: Target) -> None:
    """12, kin: a moderator still reads them, and the applicant has no operation to empty them."""
    place = await target.found(visibility="members", admission="application")
    body = {"answers": [{"question": "Why?", "answer": f"secret {place.slug}"}]}
    made = await place.must("bob", "POST", "/members", body)
    await place.must("bob", "DELETE", "/members/me")
    shown = await place.must("alice", "GET", f"/members/{made['id']}")
    assert "secret" not in str(shown), shown
