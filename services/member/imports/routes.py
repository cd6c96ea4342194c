"""Imports over HTTP: withdraw what somebody brought in, restore it, list what is withdrawn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from services.member.communities.domain import COMMUNITY, Community, CommunityEvent
from services.member.imports.domain import restore, withdraw
from services.member.membership.member import MEMBER_EXAMPLE
from services.member.rights import bases, permitted
from shared.web.access.permissions import CallerInCommunity, Reader, requires
from shared.web.access.policy import Permission
from shared.web.dependencies import Commanding, IfMatch
from shared.web.fields import Answer, Body, Moment

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


class WithdrawnImport(Answer):
    importer_id: UUID
    until: datetime


class WithdrawnImports(Answer, example={"items": [{"importer_id": MEMBER_EXAMPLE["id"], "until": EXAMPLE}]}):
    """The imports that count in no number, in the order of their importers' ids."""

    items: list[WithdrawnImport]


@router.get("/withdrawals", operation_id="list_withdrawn_imports", summary="List the withdrawn imports")
async def list_withdrawn_imports(me: Reader, commands: Commanding) -> WithdrawnImports:
    state = (await commands.get(COMMUNITY, me.community.id)).state
    return WithdrawnImports(
        items=[
            WithdrawnImport(importer_id=importer, until=until) for importer, until in sorted(state.withdrawn.items())
        ]
    )


@router.put("/{importer}/withdrawal", status_code=204, operation_id="withdraw_import", summary="Withdraw an import")
async def withdraw_import(
    importer: ImporterPath, me: Overseer, commands: Commanding, expect: IfMatch, body: Withdrawal | None = None
) -> None:
    """What this member brought in by a moment counts no more, in activity and influence, also on the days before.

    It can still be read. What the member brings in later counts. Withdrawn already, it stays so, unless `until` is
    another moment.
    """
    until = body.until.astimezone(UTC) if body and body.until else None

    def withdrawn(state: Community) -> list[CommunityEvent]:
        return withdraw(state, importer, until, commands.now)

    await commands.change(COMMUNITY, me.community.id, permitted(me, withdrawn), on=bases(me), expect=expect)


@router.delete("/{importer}/withdrawal", status_code=204, operation_id="restore_import", summary="Restore an import")
async def restore_import(importer: ImporterPath, me: Overseer, commands: Commanding, expect: IfMatch) -> None:
    """It counts as if it had never been withdrawn. Where nothing is withdrawn, nothing happens."""

    def restored(state: Community) -> list[CommunityEvent]:
        return restore(state, importer)

    await commands.change(COMMUNITY, me.community.id, permitted(me, restored), on=bases(me), expect=expect)
