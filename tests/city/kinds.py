"""Every kind of thing that a community has: how it is made, whose it is, what its id is called, what uses it up.

The village, the authorisation matrix and the fuzzer go by this one table. A new kind needs its line here and nowhere
else among them; `make check` refuses an operation that makes something, or a parameter or field, that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

WHOEVER = "whoever it belongs to"


class UnknownName(LookupError):
    """Something in a document that the tests would not know what to send for; it says where to tell them."""


@dataclass(frozen=True)
class Making:
    """A POST that makes one, below the community. `{place}` in `path` is the id of what it stands in.

    `body` is given words and that id; `within` is the kind of what it stands in.
    """

    service: str
    path: str
    body: Callable[[str, str], Json]
    within: str | None = None


@dataclass(frozen=True)
class Kind:
    """`called` are the names of the parameters and fields that hold an id of it, `made_by` the operations that answer a
    new one's, `used_up_by` those that each need one of their own, since afterwards it is gone or settled.

    `making` is how a village makes one, None for what is there without; the people in `by` have one each, in that
    order, and, where the author has one, somebody who has left. `person` is who it is, where it is somebody.
    """

    made_by: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    used_up_by: tuple[str, ...] = ()
    making: Making | None = None
    by: tuple[str, ...] = ("author", "owner")
    person: str | None = None


_TARGET = ("target_id", "target")
"""What is given to a post names it so, whichever of these it is."""

KINDS: dict[str, Kind] = {
    "community": Kind(made_by=("found_community",), called=("community",)),
    "channel": Kind(
        made_by=("open_channel",),
        called=("channel_id", "channel"),
        used_up_by=("archive_channel",),
        making=Making("content", "/channels", lambda words, _: {"name": words[:100]}),
        by=("owner",),
    ),
    "thread": Kind(
        made_by=("open_thread",),
        called=("thread_id", *_TARGET),
        used_up_by=("delete_thread", "accept_answer"),
        making=Making(
            "content",
            "/threads",
            lambda words, place: {"channel_id": place, "title": words, "body": words, "tags": []},
            within="channel",
        ),
    ),
    "reply": Kind(
        made_by=("post_reply",),
        called=("reply_id", *_TARGET),
        used_up_by=("delete_reply",),
        making=Making("content", "/threads/{place}/replies", lambda words, _: {"body": words}, within="thread"),
    ),
    "comment": Kind(
        made_by=("comment_on_thread", "comment_on_reply"),
        called=("comment_id", *_TARGET),
        used_up_by=("delete_comment",),
        making=Making("content", "/threads/{place}/comments", lambda words, _: {"body": words}, within="thread"),
    ),
    "suggestion": Kind(
        made_by=("submit_suggestion",),
        called=("suggestion_id",),
        used_up_by=("delete_suggestion",),
        making=Making("feedback", "/suggestions", lambda words, _: {"title": words, "body": words}),
    ),
    # These are asked about by what they were given to.
    "reaction": Kind(made_by=("add_reaction",)),
    "share": Kind(made_by=("share",)),
    "member": Kind(made_by=("join_community",), called=("member", "author", "importer"), person=WHOEVER),
    "applicant": Kind(called=("member",), by=("owner",), person="applicant"),
    "trainee": Kind(called=("member",), by=("owner",), person="trainee"),
}
"""By name, each after what it stands in. A trainee is whom roles are granted to."""

GIVEN = (("engagement", "PUT", "/reactions/{target}/like"), ("engagement", "PUT", "/views/{target}"))
"""What a member gives to the first thread and the first reply of a village."""

WORDS = {"kind": "like", "role": "moderator"}
"""Path parameters that are no ids, and what stands for them where any of their values will do."""

MADE_BY = {operation: name for name, kind in KINDS.items() for operation in kind.made_by}
"""The kind of what an operation makes."""
USED_UP_BY = {operation for kind in KINDS.values() for operation in kind.used_up_by}


def called(name: str) -> list[str]:
    """The kinds of things whose ids stand in a parameter or field of that name."""
    found = [kind for kind, known in KINDS.items() if name in known.called]
    if not found:
        raise UnknownName(
            f"`{name}` holds ids of nobody knows what. Add the name to `called` of its kind in tests/city/kinds.py, "
            "and the kind, where it is new."
        )
    return found
