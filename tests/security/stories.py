"""What becomes of each change, by its operation: what comes before it, and what takes it back or puts another after it.

It is written by hand, and complete: an operation that names `Idempotency-Key` and is not here fails the suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tests.city.kinds import Json

Step: TypeAlias = "tuple[str, str, str, str] | tuple[str, str, str, str, Json]"
"""Who, the service, the method, the path below the community (or from `/v1` on) and the body. `{thing}` stands for what
it is done to, `{reply}` for a reply in it, `{made}` for the id in the answer."""


@dataclass(frozen=True)
class Story:
    """`who` does it to something of a kind that was made for it (`fresh`), to a person, or to nothing. `undo` is
    empty where nothing can take it back; it `forgets` where the words are gone at once with it.
    """

    who: str = "owner"
    fresh: str | None = None
    person: str | None = None
    before: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    forgets: bool = False


def _here(who: str, method: str, path: str, body: Json | None = None) -> Step:
    return (who, "member", method, path) if body is None else (who, "member", method, path, body)


def _applies(who: str) -> Step:
    return _here(who, "POST", "/members", {})


_LET_IN = _here("owner", "POST", "/members/{thing}/acceptance")
_OTHER = {"body": "Other."}
_REPLY = {"reply_id": "{reply}"}

STORIES = {
    "found_community": Story(
        undo=(_here("owner", "PATCH", "/v1/communities/{made}", {"name": "Other", "visibility": "members"}),)
    ),
    "join_community": Story("joiner", undo=(_here("joiner", "DELETE", "/members/me"),), forgets=True),
    "leave_community": Story("leaver", before=(_applies("leaver"),), undo=(_applies("leaver"),)),
    "accept_member": Story(
        person="accepted", before=(_applies("accepted"),), undo=(_here("owner", "DELETE", "/members/{thing}"),)
    ),
    "decline_member": Story(person="refused", before=(_applies("refused"),), undo=(_applies("refused"),), forgets=True),
    "remove_member": Story(
        person="removed", before=(_applies("removed"), _LET_IN), undo=(_applies("removed"), _LET_IN)
    ),
    "mark_robot": Story(person="trainee", undo=(_here("owner", "DELETE", "/members/{thing}/robot"),)),
    "unmark_robot": Story(
        person="member",
        before=(_here("owner", "PUT", "/members/{thing}/robot"),),
        undo=(_here("owner", "PUT", "/members/{thing}/robot"),),
    ),
    "withdraw_import": Story(person="author", undo=(_here("owner", "DELETE", "/imports/{thing}/withdrawal"),)),
    "restore_import": Story(
        person="member",
        before=(_here("owner", "PUT", "/imports/{thing}/withdrawal"),),
        undo=(_here("owner", "PUT", "/imports/{thing}/withdrawal"),),
    ),
    "replace_profile": Story(
        "author",
        person="author",
        undo=(_here("author", "PUT", "/members/me/profile", {"bio": "Other."}),),
        forgets=True,
    ),
    "empty_profile": Story(
        person="member", undo=(_here("member", "PUT", "/members/me/profile", {"display_name": "Other"}),)
    ),
    "grant_role": Story(person="trainee", undo=(_here("owner", "DELETE", "/roles/moderator/members/{thing}"),)),
    "revoke_role": Story(
        person="member",
        before=(_here("owner", "PUT", "/roles/moderator/members/{thing}"),),
        undo=(_here("owner", "PUT", "/roles/moderator/members/{thing}"),),
    ),
    "open_channel": Story(undo=(("administrator", "content", "PATCH", "/channels/{made}", {"name": "Other"}),)),
    "rename_channel": Story(
        fresh="channel", undo=(("administrator", "content", "PATCH", "/channels/{thing}", {"name": "Yet another"}),)
    ),
    "archive_channel": Story(fresh="channel"),
    "open_thread": Story("author", fresh="channel", undo=(("moderator", "content", "DELETE", "/threads/{made}"),)),
    "edit_thread": Story(
        "author", fresh="thread", undo=(("moderator", "content", "PATCH", "/threads/{thing}", {"title": "Other"}),)
    ),
    "delete_thread": Story("author", fresh="thread"),
    "post_reply": Story("author", fresh="thread", undo=(("moderator", "content", "PATCH", "/replies/{made}", _OTHER),)),
    "edit_reply": Story("author", fresh="reply", undo=(("moderator", "content", "PATCH", "/replies/{thing}", _OTHER),)),
    "delete_reply": Story("author", fresh="reply"),
    "comment_on_thread": Story(
        "author", fresh="thread", undo=(("moderator", "content", "DELETE", "/comments/{made}"),)
    ),
    "comment_on_reply": Story("author", fresh="reply", undo=(("moderator", "content", "DELETE", "/comments/{made}"),)),
    "edit_comment": Story(
        "author", fresh="comment", undo=(("moderator", "content", "PATCH", "/comments/{thing}", _OTHER),)
    ),
    "delete_comment": Story("author", fresh="comment"),
    "accept_answer": Story(
        "author", fresh="thread", undo=(("moderator", "content", "DELETE", "/threads/{thing}/accepted-answer"),)
    ),
    "withdraw_acceptance": Story(
        "author",
        fresh="thread",
        before=(("author", "content", "PUT", "/threads/{thing}/accepted-answer", _REPLY),),
        undo=(("author", "content", "PUT", "/threads/{thing}/accepted-answer", _REPLY),),
    ),
    "add_reaction": Story(
        "author", fresh="thread", undo=(("author", "engagement", "DELETE", "/reactions/{thing}/like"),)
    ),
    "put_reaction": Story(
        "author", fresh="thread", undo=(("author", "engagement", "DELETE", "/reactions/{thing}/like"),)
    ),
    "withdraw_reaction": Story(
        "author",
        fresh="thread",
        before=(("author", "engagement", "PUT", "/reactions/{thing}/like"),),
        undo=(("author", "engagement", "PUT", "/reactions/{thing}/like"),),
    ),
    "put_view": Story("author", fresh="thread"),
    "share": Story("author", fresh="thread"),
    "submit_suggestion": Story("author", undo=(("moderator", "feedback", "DELETE", "/suggestions/{made}"),)),
    "delete_suggestion": Story("author", fresh="suggestion"),
    "answer_suggestion": Story(
        fresh="suggestion", undo=(("moderator", "feedback", "POST", "/suggestions/{thing}/answer", {"text": "Other."}),)
    ),
    "plan_suggestion": Story(
        fresh="suggestion", undo=(("moderator", "feedback", "POST", "/suggestions/{thing}/complete"),)
    ),
    "complete_suggestion": Story(
        fresh="suggestion", undo=(("moderator", "feedback", "DELETE", "/suggestions/{thing}"),)
    ),
    "decline_suggestion": Story(
        fresh="suggestion", undo=(("moderator", "feedback", "DELETE", "/suggestions/{thing}"),)
    ),
    "vote_for_suggestion": Story(
        "author", fresh="suggestion", undo=(("author", "feedback", "DELETE", "/suggestions/{thing}/votes/me"),)
    ),
    "withdraw_vote": Story(
        "author",
        fresh="suggestion",
        before=(("author", "feedback", "PUT", "/suggestions/{thing}/votes/me"),),
        undo=(("author", "feedback", "PUT", "/suggestions/{thing}/votes/me"),),
    ),
    "describe_community": Story(undo=(_here("owner", "PATCH", "", {"admission": "open"}),)),
    "archive_community": Story(),
}
