"""Reactions over HTTP: give, take back, list with their counts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
from fastapi import APIRouter, Path, Query

from services.engagement.reactions.domain import REACTIONS, Reactions, react, reaction_id, reactions_id, withdraw
from services.engagement.reactions.kinds import SIGNS, Kind
from services.engagement.reactions.reaction import REACTION as EXAMPLE
from services.engagement.reactions.reaction import ReactionAnswer, ReactionsAnswer
from services.engagement.read_models.reactions import REACTIONS as REACTIONS_VIEW
from services.engagement.read_models.reactions import reaction_count, reaction_list
from services.engagement.read_models.targets import not_deleted
from services.engagement.target_lookup import TargetLookup, Targets
from shared.projections.freshness import Freshness
from shared.projections.read_model_table import present
from shared.web.access.permissions import CallerInCommunity, Contributor, Participant, Reader
from shared.web.dependencies import Commanding, Db, fresh
from shared.web.fields import Body
from shared.web.paging import Page, SortOrder, page
from shared.web.request_commands import RequestCommands

router = APIRouter(prefix="/reactions", tags=["reactions"])

TargetPath = Annotated[UUID, Path(description="A thread, reply or comment.", examples=[EXAMPLE["target_id"]])]
KindPath = Annotated[Kind, Path(description="The kind of reaction.")]

listed, counted = reaction_list.c, reaction_count.c

NEWEST: SortOrder = [(listed.reacted_at, "desc"), (listed.reaction, "desc")]


class NewReaction(Body, example={"target_id": EXAMPLE["target_id"], "kind": EXAMPLE["kind"]}):
    target_id: UUID
    kind: Kind


@router.get("", operation_id="list_reactions", summary="List the reactions to something")
async def list_reactions(
    me: Reader,
    db: Db,
    paging: Page,
    freshness: Annotated[Freshness, fresh(REACTIONS_VIEW)],
    target: Annotated[UUID, Query(description="A thread, reply or comment.", examples=[EXAMPLE["target_id"]])],
) -> ReactionsAnswer:
    """With the counts of each kind, and which kinds the caller has given. What is not there, or was deleted, itself or
    with what it stands in, has no reactions.
    """
    at = me.community.id
    there = not_deleted(at, target)
    counting = (
        sa.select(counted.kind, counted.reactions)
        .where(counted.community == at, counted.target == target, counted.reactions > 0, there)
        .order_by(counted.kind)
    )
    listed_here = sa.and_(present(reaction_list), listed.community == at, listed.target == target, there)
    own = sa.select(listed.kind).where(listed_here, listed.actor == me.id).order_by(listed.kind)
    select = sa.select(
        listed.reaction.label("id"),
        listed.target.label("target_id"),
        listed.actor.label("actor_id"),
        listed.kind,
        listed.positive,
        listed.reacted_at,
        listed.imported_by,
    ).where(listed_here)
    async with db.at_once() as now:  # one sign at a time, also of what is counted and of what is listed
        counts, mine = await now.execute(counting), await now.execute(own)
        rows, following = await page(now, select, NEWEST, paging)
    return ReactionsAnswer(
        target_id=target,
        counts={row.kind: row.reactions for row in counts},
        mine=list(mine.scalars()),
        items=[ReactionAnswer.model_validate(row) for row in rows],
        next=following,
        freshness=freshness,
    )


@router.post("", status_code=201, operation_id="add_reaction", summary="React to something")
async def post_reaction(body: NewReaction, me: Contributor, commands: Commanding, targets: Targets) -> ReactionAnswer:
    """As `PUT`, with a body. A kind that the caller has given already changes nothing and is answered as it stands."""
    found = await _give(body.target_id, body.kind, me, commands, targets)
    given = found.current[body.kind]
    commands.created("reactions", body.target_id, body.kind)
    return ReactionAnswer(
        id=given.added.reaction_id,
        target_id=body.target_id,
        actor_id=me.id,
        kind=body.kind,
        positive=SIGNS[body.kind],
        reacted_at=given.at,
    )


@router.put("/{target_id}/{kind}", status_code=204, operation_id="put_reaction", summary="Give a reaction")
async def put_reaction(
    target_id: TargetPath, kind: KindPath, me: Contributor, commands: Commanding, targets: Targets
) -> None:
    """One of each kind per member, and all of one sign: a `dislike` takes the place of a `like` and a `love`.

    Also to one's own work, which earns nothing. Given already, it changes nothing.
    """
    await _give(target_id, kind, me, commands, targets)


async def _give(
    target_id: UUID, kind: Kind, me: CallerInCommunity, commands: RequestCommands, targets: TargetLookup
) -> Reactions:
    reaction = reaction_id(target_id, me.id, kind)
    aim = await targets.look_up(me.community.id, target_id, caller=me.caller)
    positive = SIGNS[kind]
    found = await commands.execute(
        REACTIONS,
        reactions_id(target_id, me.id),
        lambda state: react(state, reaction, aim, me.id, str(kind), positive=positive),
        there=lambda state: str(kind) in state.current,
    )
    return REACTIONS.existing(found.state)


@router.delete("/{target_id}/{kind}", status_code=204, operation_id="withdraw_reaction", summary="Take a reaction back")
async def delete_reaction(target_id: TargetPath, kind: KindPath, me: Participant, commands: Commanding) -> None:
    """Also from what was deleted since, by who has left, and in an archived community; where there is none, nothing
    happens.
    """
    await commands.execute(
        REACTIONS,
        reactions_id(target_id, me.id),
        lambda state: withdraw(state, str(kind)),
        there=lambda state: str(kind) in state.current,
    )
