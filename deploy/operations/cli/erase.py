"""`guildhall erase`: have every service erase what a member wrote and what names them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Annotated
from uuid import UUID

import asyncpg
import typer
from rich.table import Table

from deploy.operations.cli.console import configuration, console, fail, load_all, run_async
from deploy.operations.databases import databases
from deploy.operations.erase import Found, compact, found_in, order
from shared.db import database_url
from shared.events.errors import NotFound
from shared.events.identity import community_id
from shared.settings import Settings

LOOKING = 0.5
"""Seconds between two looks at how far the services are."""


def erase(
    community: Annotated[str, typer.Argument(metavar="COMMUNITY", help="Its slug or its id.")],
    member: Annotated[UUID, typer.Argument(metavar="MEMBER", help="The member's id.")],
    *,
    look: Annotated[bool, typer.Option("--look", help="Only say what there is; changes nothing.")] = False,
    compacting: Annotated[
        bool,
        typer.Option("--compact", help="Then write the vaults' files anew: nobody writes or reads words meanwhile."),
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the services.")] = 60.0,
) -> None:
    """Erase what a member wrote and what names them, in every service, for good. Numbers stay as they are.

    It may be repeated: what is erased stays erased, and words of theirs that come later are refused. A service that is
    down erases when it is up again. Examples: `guildhall erase harbour-choir 0190a2c4-… --look` ·
    `guildhall erase harbour-choir 0190a2c4-… --compact`
    """
    run_async(_erase(configuration(), community, member, look=look, compacting=compacting, wait=wait))


async def _erase(settings: Settings, name: str, member: UUID, *, look: bool, compacting: bool, wait: float) -> None:
    services = [service for service in load_all(None) if service.events is not None]
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(databases(settings, services))
        if "member" not in opened.open:
            fail(opened.away["member"])
        community = community_id(name)
        if community is None:
            fail(f"{name!r} is neither the slug nor the id of a community.")

        async def all_of_them() -> dict[str, Found]:
            try:
                return {each: await found_in(opened.open[each], community, member) for each in opened.open}
            except asyncpg.UndefinedTableError:
                fail("A database is older than this release. Run `guildhall migrate` first.")

        before = now = await all_of_them()
        if look:
            console.print(_table(before, before, opened.away))
            return
        try:
            new = await order(settings, community, member)
        except NotFound:
            fail(f"Nobody with the id {member} was ever a member of {name}.")
        console.print("The services are told." if new else "They had been told before; looking again.")
        until = time.monotonic() + wait
        with console.status("Erasing") as status:
            while (missing := [each for each, at in now.items() if not at.done]) and time.monotonic() < until:
                status.update(f"Erasing; not yet done: {', '.join(missing)}")
                await asyncio.sleep(LOOKING)
                now = await all_of_them()
        console.print(_table(before, now, opened.away))
        if opened.away or missing:
            fail("Not everywhere yet. A service erases once its worker runs; run this again to see it.")
    if compacting:
        for service in services:
            with console.status(f"Writing the vault of {service.name} anew"):
                await compact(database_url(settings, service.name))
        console.print("The vaults' files are written anew. Backups and archived logs from before still have the words.")


def _table(before: Mapping[str, Found], now: Mapping[str, Found], away: Mapping[str, str]) -> Table:
    table = Table("service", "texts there were", "erased", "left", "refuses more")
    for name, was in before.items():
        left = now[name].texts
        erased = max(0, was.texts - left)
        table.add_row(name, f"{was.texts:,}", f"{erased:,}", f"{left:,}", "yes" if now[name].marked else "not yet")
    for name, why in away.items():
        table.add_row(name, why, "", "", "")
    return table
