"""Every field of an answer that names a member, and why whoever is answered needs it; a new one needs a reason."""

from __future__ import annotations

from typing import Any, Final

from tests.city.city import City

WORDS: Final = "who wrote, shown beside the words; null of an anonymous suggestion"
EDITED: Final = "no words in a member's mouth: another's edit names its editor"
BROUGHT: Final = "what is brought in says by whom (docs/adr/0034)"
ASKED: Final = "whom the question was about"

NAMED: Final = {
    ("ThreadAnswer", "author_id"): WORDS,
    ("ReplyAnswer", "author_id"): WORDS,
    ("CommentAnswer", "author_id"): WORDS,
    ("SuggestionAnswer", "author_id"): WORDS,
    ("SuggestionShown", "author_id"): WORDS,
    ("ThreadAnswer", "edited_by"): EDITED,
    ("ReplyAnswer", "edited_by"): EDITED,
    ("CommentAnswer", "edited_by"): EDITED,
    ("SuggestionAnswer", "edited_by"): EDITED,
    ("SuggestionShown", "edited_by"): EDITED,
    ("ReactionAnswer", "actor_id"): "a reaction is a sign that one gives under one's name",
    ("MemberListed", "id"): "the roster of who is here; of others for moderators alone",
    ("MemberAnswer", "id"): ASKED,
    ("HolderAnswer", "id"): ASKED,
    ("OneMember", "member_id"): ASKED,
    ("Explanation", "member_id"): ASKED,
    ("ExplanationItem", "from"): "a score is explained by its rows, and a row is somebody's response",
    ("RankedMember", "member_id"): "the ranking is of members",
    ("LineAnswer", "member"): "whom a line was written for, to who brought it in, and the line stands marked",
    ("WithdrawnImport", "importer_id"): ASKED,
    **{
        (model, "imported_by"): BROUGHT
        for model in (
            "ChannelAnswer",
            "ThreadAnswer",
            "ReplyAnswer",
            "CommentAnswer",
            "SuggestionAnswer",
            "SuggestionShown",
            "ReactionAnswer",
            "MemberListed",
            "MemberAnswer",
            "ExplanationItem",
            "OfImporter",
        )
    },
}
THINGS: Final = frozenset(("thread_id", "channel_id", "reply_id", "target_id", "accepted_reply_id"))
"""Fields whose id is no member's."""
PEOPLE: Final = frozenset(("MemberListed", "MemberAnswer", "HolderAnswer"))
"""Models whose `id` is a member's."""


def _is_id(schema: dict[str, Any]) -> bool:
    parts = [schema, *schema.get("anyOf", ()), schema.get("items", {})]
    return any(part.get("format") == "uuid" for part in parts)


def test_a_member_is_named_where_whoever_is_answered_needs_it(town: City) -> None:
    found = {
        (model, field)
        for document in town.documents.values()
        for model, schema in document["components"]["schemas"].items()
        for field, kind in schema.get("properties", {}).items()
        if _is_id(kind) and field not in THINGS and (field != "id" or model in PEOPLE)
    }
    assert found == NAMED.keys()
