"""The policy in one table: what each operation asks of its caller, and whose things it may be done to.

It is written by hand and shares nothing with the code it judges. An operation that is not in it fails the suite. There
are no sanctions yet: the directory knows no suspended members, so there is no such caller here; when there are, they
get a line in `CALLERS` and everything else follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Outcome = Literal["allowed", "unauthenticated", "forbidden", "not found"]


class Needs(Enum):
    """What an operation asks of its caller, before it is asked what it is done to."""

    TOKEN = "any token"
    FOUND = "a token with the scope for it"
    KNOWN = "any token, and a community that exists"
    ACQUAINTED = "a public community, or to be known in it as anything"
    WITHDRAW = "to be a member, to have been one, or to have applied"
    READ = "a public community, or membership"
    CONTRIBUTE = "membership"
    MODERATE = "the role moderator or above"
    ADMINISTER = "the role administrator or above"
    OWN = "the role owner"
    BACKFILL = "the role administrator or above, and the scope for it"
    OVERSEE = "the role administrator or above, or the scope of an operator"


RANKS = {"member": 1, "author": 1, "moderator": 2, "administrator": 3, "owner": 4}
"""Who is a member, and how far up."""
LEAST = {Needs.CONTRIBUTE: 1, Needs.MODERATE: 2, Needs.ADMINISTER: 3, Needs.OWN: 4, Needs.BACKFILL: 3, Needs.OVERSEE: 3}
CALLERS = ("anonymous", "nobody", "stranger", "left", "declined", "applicant", *RANKS, "operator")
"""`stranger` is a member of another community, `operator` has the installation's scope and is a member of none."""


class Whose(Enum):
    """To whose things it may be done."""

    ANYBODYS = "anybody's"
    OWN = "one's own"
    OWN_OR_MODERATED = "one's own, and anybody's for moderators and above"


@dataclass(frozen=True)
class Rule:
    """`thing` is the kind of what it is done to, None for the community itself.

    `elsewhere` is what becomes of another community's thing, or of one that is not there: nothing is found, or (as
    with a list or the taking back of what was never given) there is nothing, and nothing happens.
    """

    needs: Needs
    thing: str | None = None
    whose: Whose = Whose.ANYBODYS
    elsewhere: Literal["not found", "nothing"] = "not found"


ANY, F, K, Q, W, R, C, M, A, TOP, B, SEE = Needs
OWN, MODERATED = Whose.OWN, Whose.OWN_OR_MODERATED

POLICY: dict[str, Rule] = {
    # member
    "list_communities": Rule(ANY),
    "found_community": Rule(F),
    "get_community": Rule(R),
    "describe_community": Rule(A),
    "archive_community": Rule(TOP),
    "list_members": Rule(R),
    "join_community": Rule(K),
    "get_own_membership": Rule(Q),
    "leave_community": Rule(Q),
    "get_member": Rule(R, "member"),
    "accept_member": Rule(M, "applicant"),
    "decline_member": Rule(M, "applicant"),
    "get_profile": Rule(R, "member"),
    "remove_member": Rule(M, "member"),
    "mark_robot": Rule(A, "member"),
    "unmark_robot": Rule(A, "member"),
    "list_withdrawn_imports": Rule(R),
    "withdraw_import": Rule(SEE, "member", elsewhere="nothing"),
    "restore_import": Rule(SEE, "member", elsewhere="nothing"),
    "replace_profile": Rule(W, "member", OWN),  # by who is no member, only an empty one
    "empty_profile": Rule(W, "member", MODERATED),
    "list_roles": Rule(R),
    "grant_role": Rule(A, "trainee"),
    "revoke_role": Rule(C, "trainee"),
    "backfill_member": Rule(B),
    # content
    "list_channels": Rule(R),
    "open_channel": Rule(A),
    "get_channel": Rule(R, "channel"),
    "rename_channel": Rule(A, "channel"),
    "archive_channel": Rule(A, "channel"),
    "list_threads": Rule(R),
    "open_thread": Rule(C, "channel"),
    "get_thread": Rule(R, "thread"),
    "edit_thread": Rule(C, "thread", MODERATED),
    "delete_thread": Rule(W, "thread", MODERATED),
    "list_replies": Rule(R, "thread"),
    "post_reply": Rule(C, "thread"),
    "get_reply": Rule(R, "reply"),
    "edit_reply": Rule(C, "reply", MODERATED),
    "delete_reply": Rule(W, "reply", MODERATED),
    "accept_answer": Rule(C, "thread", MODERATED),
    "withdraw_acceptance": Rule(W, "thread", MODERATED),
    "list_thread_comments": Rule(R, "thread"),
    "comment_on_thread": Rule(C, "thread"),
    "list_reply_comments": Rule(R, "reply"),
    "comment_on_reply": Rule(C, "reply"),
    "get_comment": Rule(R, "comment"),
    "edit_comment": Rule(C, "comment", MODERATED),
    "delete_comment": Rule(W, "comment", MODERATED),
    "list_tags": Rule(R),
    "backfill_content": Rule(B),
    # engagement
    "list_reactions": Rule(R, "thread", elsewhere="nothing"),
    "add_reaction": Rule(C, "thread"),
    "put_reaction": Rule(C, "thread"),
    "withdraw_reaction": Rule(W, "thread", elsewhere="nothing"),
    "put_view": Rule(C, "thread"),
    "count_views": Rule(R, "thread", elsewhere="nothing"),
    "share": Rule(C, "thread"),
    "count_shares": Rule(R, "thread", elsewhere="nothing"),
    "backfill_engagement": Rule(B),
    # feedback
    "list_suggestions": Rule(R),
    "submit_suggestion": Rule(C),
    "get_suggestion": Rule(R, "suggestion"),
    "delete_suggestion": Rule(W, "suggestion", MODERATED),
    "answer_suggestion": Rule(M, "suggestion"),
    "plan_suggestion": Rule(M, "suggestion"),
    "complete_suggestion": Rule(M, "suggestion"),
    "decline_suggestion": Rule(M, "suggestion"),
    "vote_for_suggestion": Rule(C, "suggestion"),
    "withdraw_vote": Rule(W, "suggestion"),
    "backfill_feedback": Rule(B),
    # projection
    "get_activity": Rule(R),
    "list_influence": Rule(R),
    "get_influence": Rule(R, "member"),
    "explain_influence": Rule(R, "member"),
    "get_suggestion_metrics": Rule(R),
    "list_scoring_policies": Rule(R),
}

GRANTERS = {"moderator": ("administrator", "owner"), "administrator": ("owner",), "owner": ("owner",)}
"""Beyond the table: who grants and revokes each role. A role one has oneself may be laid down."""
ABOVE = ("remove_member", "empty_profile", "mark_robot", "unmark_robot", "withdraw_import", "restore_import")
"""Done to those who stand below."""
TO_ONESELF = {("owner", operation) for operation in ABOVE if operation != "remove_member"}
BACKFILLS = {f"backfill_{service}" for service in ("member", "content", "engagement", "feedback")}
"""A request is taken by an archived community, its lines are not."""
STILL_TAKEN_WHEN_ARCHIVED = {"archive_community", "leave_community", "get_own_membership", *BACKFILLS} | {
    operation for operation, rule in POLICY.items() if rule.needs in (W, SEE)
}

TOLD: dict[Needs, dict[str, object]] = {
    ANY: {"who": "anyone"},
    F: {"who": "anyone", "scope": "guildhall:found"},
    K: {"who": "anyone", "in": "community"},
    Q: {"who": "acquainted", "in": "community"},
    W: {"who": "participant", "in": "community"},
    R: {"who": "reader", "in": "community", "even_archived": True},
    C: {"who": "member", "in": "community"},
    M: {"who": "moderator", "in": "community"},
    A: {"who": "administrator", "in": "community"},
    TOP: {"who": "owner", "in": "community"},
    B: {"who": "administrator", "in": "community", "scope": "guildhall:backfill"},
    SEE: {"who": "administrator", "in": "community", "or": "operator"},
}
"""In the words of the API document, where they are `x-permission`."""


def told(operation: str) -> dict[str, object]:
    """What the document must tell of an operation."""
    words = TOLD[POLICY[operation].needs]
    return {**words, "even_archived": True} if operation in STILL_TAKEN_WHEN_ARCHIVED else words


def expected(operation: str, caller: str, *, public: bool, belongs_to: str, role: str = "") -> Outcome:
    """What a caller gets. `belongs_to` is whose the thing is: a caller's name, `elsewhere`, or "" for none."""
    rule = POLICY[operation]
    outcome = _at_the_door(rule.needs, caller, public=public)
    if outcome != "allowed":
        return outcome
    if role and caller not in GRANTERS[role]:
        return "forbidden"  # before anything is looked for
    if operation == "replace_profile" and caller not in RANKS and belongs_to == caller:
        return "forbidden" if public or caller == "applicant" else "not found"  # it is words that are put
    if operation in ABOVE and belongs_to == "owner" and caller in RANKS and (caller, operation) not in TO_ONESELF:
        return "forbidden"  # nobody stands above an owner
    if rule.whose is Whose.OWN and belongs_to != caller:
        return "forbidden"
    if belongs_to == "elsewhere":
        return "allowed" if rule.elsewhere == "nothing" or (role and operation == "revoke_role") else "not found"
    if caller not in RANKS and not public and rule.needs is W and rule.elsewhere != "nothing" and belongs_to != caller:
        return "not found"  # whoever does not read here may not know of it
    if rule.whose is Whose.OWN_OR_MODERATED and belongs_to != caller and RANKS.get(caller, 0) < LEAST[Needs.MODERATE]:
        return "forbidden"
    return "allowed"


def _at_the_door(needs: Needs, caller: str, *, public: bool) -> Outcome:
    if caller == "anonymous":
        return "unauthenticated"
    if needs in (Needs.TOKEN, Needs.FOUND, Needs.KNOWN):
        return "allowed"
    if caller == "operator" and needs in (Needs.READ, Needs.ACQUAINTED, Needs.BACKFILL, Needs.OVERSEE):
        return "allowed"
    if needs is Needs.ACQUAINTED:
        return "allowed" if public or caller not in ("nobody", "stranger") else "not found"
    if needs is Needs.READ:
        return "allowed" if public or caller in RANKS else "not found"
    if needs is Needs.WITHDRAW and caller in (*RANKS, "left", "declined", "applicant"):
        return "allowed"
    if caller in RANKS:
        return "allowed" if RANKS[caller] >= LEAST[needs] else "forbidden"
    if caller == "applicant" and needs is not Needs.BACKFILL:
        return "forbidden"  # who has applied knows that it is there
    return "forbidden" if public else "not found"
