"""Imports over HTTP: withdraw what somebody brought in, restore it, list what is withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from services.member.communities.domain import COMMUNITY, OWNER, Community, CommunityEvent
from services.member.imports.domain import MOST, must_judge, restore, withdraw
from services.member.membership.domain import Membership
from services.member.membership.member import MEMBER_EXAMPLE
from services.member.rights import bases, confirmed
from services.member.roles.domain import holder
from shared.web.access.permissions import CallerInCommunity, Reader, requires
from shared.web.access.policy import OPERATE_SCOPE, Permission
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Answer, Body, Moment
from shared.web.paging import Listing, Page, page_of

router = APIRouter(prefix="/imports", tags=["imports"])

Overseer = Annotated[CallerInCommunity, Depends(requires(Permission.ADMINISTER, even_archived=True, or_operator=True))]
ImporterPath = Annotated[
    UUID, Path(description="Who brought it in: the `imported_by` of answers.", examples=[MEMBER_EXAMPLE["id"]])
]

EXAMPLE = "2026-03-01T12:00:00Z"


class Withdrawal(Body, example={"until": EXAMPLE}):
    until: Moment | None = Field(
        None, description="What was brought in up to this moment, by quarters of an hour; without it, up to now."
    )


class WithdrawnImport(Answer, example={"importer_id": MEMBER_EXAMPLE["id"], "until": EXAMPLE}):
    """An import that counts in no number."""

    importer_id: UUID
    until: datetime


@router.get("/withdrawals", operation_id="list_withdrawn_imports", summary="List the withdrawn imports")
async def list_withdrawn_imports(me: Reader, commands: Commanding, paging: Page) -> Listing[WithdrawnImport]:
    """In the order of their importers' ids."""
    state = (await commands.get(COMMUNITY, me.community.id)).state
    importers, following = page_of(state.withdrawn, paging)
    items = [WithdrawnImport(importer_id=importer, until=state.withdrawn[importer]) for importer in importers]
    return Listing(items=items, next=following)


@router.put("/{importer}/withdrawal", status_code=204, operation_id="withdraw_import", summary="Withdraw an import")
async def withdraw_import(
    importer: ImporterPath, me: Overseer, commands: Commanding, expect: IfMatch, body: Withdrawal | None = None
) -> None:
    """What this member brought in by a moment counts no more, in activity and influence, also on the days before.

    It can still be read. What the member brings in later counts. Withdrawn already, it stays so, unless `until` is
    another moment. Owners and operators withdraw any import, administrators those of who stands below them.
    """
    until = body.until if body else None
    withdrawn = _judged(me, importer, lambda state, most: withdraw(state, importer, until, commands.now, most))
    await commands.change(COMMUNITY, me.community.id, withdrawn, on=bases(me, importer), expect=expect)


@router.delete("/{importer}/withdrawal", status_code=204, operation_id="restore_import", summary="Restore an import")
async def restore_import(importer: ImporterPath, me: Overseer, commands: Commanding, expect: IfMatch) -> None:
    """It counts as if it had never been withdrawn. Where nothing is withdrawn, nothing happens.

    Done by who might withdraw it; so nobody but owners and operators restores their own.
    """
    restored = _judged(me, importer, lambda state, _: restore(state, importer))
    await commands.change(COMMUNITY, me.community.id, restored, on=bases(me, importer), expect=expect)


def _judged(
    me: CallerInCommunity, importer: UUID, decide: Callable[[Community, int], list[CommunityEvent]]
) -> Callable[..., list[CommunityEvent]]:
    """The decision of who may judge that import; rests on `bases(me, importer)`. It is given how many imports may be
    withdrawn: administrators leave owners room, whomever they name.
    """

    def decided(
        state: Community, community: Community, own: Membership | None, their: Membership | None
    ) -> list[CommunityEvent]:
        by = confirmed(me, community, own)
        if OPERATE_SCOPE in me.caller.scopes:
            return decide(state, MOST)
        must_judge(by, holder(importer, community, their))
        return decide(state, MOST if OWNER in by.roles else MOST // 2)

    return decided
