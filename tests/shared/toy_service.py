"""A whole small service for the kernel's tests: accounts over HTTP, by backfill, and in a list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Depends
from pydantic import Field
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from shared.commands.outcome import Outcome
from shared.events.event import Recorded
from shared.projections.freshness import Freshness
from shared.projections.read_model import Change, ReadModel, add, put
from shared.projections.read_model_table import present, read_model_table
from shared.service.service import Service
from shared.tables import service_metadata
from shared.vault import vault_row
from shared.web.access.permissions import (
    CallerInCommunity,
    Contributor,
    Moderator,
    Newcomer,
    Operator,
    Owner,
    Reader,
    requires,
)
from shared.web.access.policy import Permission
from shared.web.backfill.command import BackfillCommand, Line, LineContext, Source
from shared.web.dependencies import Commanding, Db, IfMatch, fresh
from shared.web.fields import Answer, Body, words
from shared.web.paging import Listing, Page, SortOrder, page
from tests.shared import toy
from tests.shared.toy import ACCOUNT, NOTES, Account, AccountOpened, Deposited, Notes, NoteWritten

METADATA = service_metadata(facts=True)

LIST = read_model_table(
    "account_list",
    METADATA,
    key=[sa.Column("community", PG_UUID, nullable=False), sa.Column("account", PG_UUID, nullable=False)],
    put=[sa.Column("owner", PG_UUID), sa.Column("opened_at", sa.DateTime(timezone=True))],
    add=["balance"],
)


def fold(event: AccountOpened | Deposited, record: Recorded) -> list[Change]:
    key = (record.community, record.stream)
    match event:
        case AccountOpened(owner):
            return [put(LIST, key, record.version, owner=owner, opened_at=record.occurred_at)]
        case Deposited(amount):
            return [add(LIST, key, balance=amount)]


ACCOUNTS = ReadModel("accounts", (LIST,), fold)

router = APIRouter(tags=["accounts"])
everywhere = APIRouter(prefix="/v1/toys", tags=["toys"])


class Deposit(Body):
    amount: int = Field(ge=1, le=1_000_000)
    note: Annotated[str, words(20)] | None = None


class AccountAnswer(Answer):
    id: UUID
    balance: int


def _open(owner: UUID, state: Account | None) -> list[toy.AccountEvent]:
    return [] if state else [AccountOpened(owner)]


@router.post("/accounts", status_code=201, operation_id="open_account", summary="Open an account")
async def open_account(here: Contributor, store: Commanding) -> AccountAnswer:
    account = store.new_id()
    outcome = await store.execute(ACCOUNT, account, partial(_open, here.id))
    return AccountAnswer(id=account, balance=toy.account(outcome).balance)


@router.get("/accounts/{account}", operation_id="get_account", summary="Show an account")
async def get_account(account: UUID, here: Reader, store: Commanding) -> AccountAnswer:
    found = await store.get(ACCOUNT, account)
    store.tag(found.version)
    return AccountAnswer(id=account, balance=found.state.balance)


@router.post("/accounts/{account}/deposits", operation_id="deposit", summary="Pay in")
async def deposit(account: UUID, body: Deposit, here: Contributor, store: Commanding, expect: IfMatch) -> AccountAnswer:
    outcome = await store.execute(ACCOUNT, account, partial(toy.deposit, body.amount), expect=expect)
    return AccountAnswer(id=account, balance=toy.account(outcome).balance)


@router.delete("/accounts/{account}", status_code=204, operation_id="close_account", summary="Close an account")
async def close_account(account: UUID, here: Moderator, store: Commanding) -> None:
    await store.execute(ACCOUNT, account, toy.close)


@router.get("/accounts", operation_id="list_accounts", summary="List accounts")
async def list_accounts(
    here: Reader,
    db: Db,
    asked: Page,
    freshness: Annotated[Freshness, fresh(ACCOUNTS)],
    owner: UUID | None = None,
    richest: bool = False,
) -> Listing[AccountAnswer]:
    select = sa.select(LIST.c.account.label("id"), LIST.c.balance).where(
        LIST.c.community == here.community.id, present(LIST)
    )
    if owner is not None:
        select = select.where(LIST.c.owner == owner)
    newest: SortOrder = [(LIST.c.opened_at, "desc"), (LIST.c.account, "desc")]
    wealth: SortOrder = [(LIST.c.balance, "desc"), (LIST.c.account, "asc")]
    order = wealth if richest else newest
    rows, following = await page(db, select, order, asked)
    items = [AccountAnswer.model_validate(row) for row in rows]
    return Listing[AccountAnswer](items=items, next=following, freshness=freshness)


@router.get("/me", operation_id="who_am_i", summary="Who the caller is here")
async def who_am_i(here: Reader) -> dict[str, str | list[str]]:
    return {"id": str(here.id), "status": here.status, "roles": sorted(here.roles)}


@router.post("/welcome", operation_id="welcome", summary="Say hello to anybody")
async def welcome(here: Newcomer) -> dict[str, str]:
    return {"status": here.status}


@router.post("/treasure", operation_id="take_treasure", summary="For owners")
async def take_treasure(here: Owner) -> dict[str, str]:
    return {"id": str(here.id)}


@router.post("/revival", operation_id="revive", summary="Even when archived")
async def revive(
    here: Annotated[CallerInCommunity, Depends(requires(Permission.OWN, even_archived=True))],
) -> dict[str, str]:
    return {"id": str(here.id)}


@router.get("/fault", operation_id="fault", summary="Goes wrong")
async def fault(here: Reader, db: Db, how: str = "bug") -> dict[str, str]:
    match how:
        case "slow":
            await db.execute(sa.text("select pg_sleep(60)"))
        case "overflow":
            await db.execute(sa.text("select (:n)::int8").bindparams(sa.bindparam("n", 2**70, sa.BigInteger)))
        case "cut":
            await db.execute(sa.text("select pg_terminate_backend(pg_backend_pid())"))
    raise ZeroDivisionError("a secret that nobody may read")


@everywhere.get("", operation_id="toys", summary="For operators")
async def toys(caller: Operator) -> dict[str, str]:
    return {"subject": caller.subject}


class OpenLine(Line):
    """Open an account."""

    note: Annotated[str, words(100)] | None = None


class DepositLine(Line):
    """Pay into an account, once per source."""

    account: Source
    amount: int = Field(ge=1)


class NoteLine(Line):
    text: Annotated[str, words(100)]


async def _run_open(context: LineContext, line: OpenLine) -> Outcome[Account | None]:
    owner = context.member or toy.ALICE
    return await context.execute(ACCOUNT, context.id("account", line.source), partial(_open, owner))


async def _run_deposit(context: LineContext, line: DepositLine) -> Outcome[Account | None]:
    return await context.execute(ACCOUNT, context.id("account", line.account), partial(toy.deposit, line.amount))


async def _run_note(context: LineContext, line: NoteLine) -> Outcome[Notes | None]:
    ref = context.id("words", line.source)
    words_of_line = vault_row(context.community.id, context.member, ref, {"text": line.text})
    stream = context.id("note", line.source)
    return await context.execute(
        NOTES, stream, lambda state: [] if state else [NoteWritten(ref)], secrets=[words_of_line]
    )


@dataclass(frozen=True)
class Broken:
    """A command with a bug in it."""

    async def run(self, context: LineContext, line: Line) -> Outcome[Account]:
        raise ZeroDivisionError("a secret that nobody may read")


BACKFILL = (
    BackfillCommand(
        "open-account",
        OpenLine,
        lambda context, line: context.id("account", line.source),
        _run_open,
        members_only=False,
    ),
    BackfillCommand("deposit", DepositLine, lambda context, line: context.id("account", line.account), _run_deposit),
    BackfillCommand("note", NoteLine, lambda context, line: context.id("note", line.source), _run_note),
    BackfillCommand("break", Line, lambda context, line: context.id("x", line.source), Broken().run),
)

SERVICE = Service(
    name="toy",
    metadata=METADATA,
    events=toy,
    routers=(router, everywhere),
    own_read_models=(ACCOUNTS,),
    backfill=BACKFILL,
    migrations=Path("none"),
)
