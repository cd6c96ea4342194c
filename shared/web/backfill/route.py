"""The route that takes a backfill; what lines may hold is declared with `BackfillCommand` (command.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from shared.events.errors import UnsupportedMedia
from shared.web import context
from shared.web.access.permissions import CallerInCommunity, authenticate, requires
from shared.web.access.policy import Permission
from shared.web.backfill.command import BackfillCommand, LineAnswer
from shared.web.backfill.exchange import BackfillSlots, Exchange
from shared.web.backfill.line_processor import LineProcessor
from shared.web.bodies import STREAMED
from shared.web.dependencies import add_to_list
from shared.web.quota import LINES, Quota

MAY = requires(Permission.BACKFILL, even_archived=True)
BLOCK = 200
"""Lines that are counted at once."""
MEDIA_TYPES = {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"}

DESCRIPTION = """
One command per line, each decided as its REST operation would be, at `occurred_at`, by `subject`. Whether they might is
asked as of then: who was a member then, and what was not yet archived, deleted or settled. In an archived community
nothing new is taken. The caller's own token and role are asked again before each line: who loses them on the way has
what is under way rejected, and nothing more is read.

Whatever a line writes says for ever who brought it in (`imported_by`).

Ids follow from `source`, so a line that is sent again is answered as repeated and changes nothing, whatever became of
it since. With other words than stand it is the next edition: an edit at `edited_at` (without it, now), answered as
edited; who brings it in is its `edited_by`. An older edition than what stands is repeated. What members did here since
stays: no line changes words that were edited here or a suggestion that was voted for here, nor undoes a reaction, a
vote, an acceptance, or that it was taken back; it is repeated, and `left_out` says why. What was deleted or erased here
is not brought back, what a line leaves out stays, and an author stays who they were.

What a thing does not hang on, such as a tag or the end of a title, is left out where it does not fit (`left_out`).
Lines of one request that happened at one instant are listed in their order, each a microsecond after the one before.

Answers come line by line, in order, while the request is still being sent: read them while you write, or send at
most 1,000 lines at a time. Fewer answers than lines mean that the service had to stop: send the rest again. A line
rejected with status 503 may be sent again, one with 429 (beyond what a caller may bring in a day, where repeated lines
do not count) tomorrow; other rejections are final. A line is at most 256 KiB, and the next one is there within 30
seconds, or the request is taken to have ended, as after a thousand lines in a row that are blank, no command, or beyond
the day's quota; eight requests of one caller go on at once. Times are not in the future.
Needs the scope `guildhall:backfill` and the role owner or administrator, or `guildhall:operate`.
"""


def backfill_router(service: str, commands: Sequence[BackfillCommand[Any]]) -> APIRouter:
    """The route `POST /<service>/backfill`, below a community."""
    router = APIRouter(tags=["backfill"])
    slots = BackfillSlots()
    by_name = {command.name: command for command in commands}
    example = '{"command": "%s", "source": "origin:1", "subject": "origin:7", "occurred_at": "2020-02-02T20:20:02Z"}'
    lines = {"oneOf": [{"$ref": f"#/components/schemas/{command.model.__name__}"} for command in commands]}
    answers = {"application/x-ndjson": {"schema": {"$ref": f"#/components/schemas/{LineAnswer.__name__}"}}}

    @router.post(
        f"/{service}/backfill",
        operation_id=f"backfill_{service}",
        summary="Bring in what happened elsewhere or before",
        description=DESCRIPTION,
        response_class=Response,
        responses={200: {"description": "An answer per line.", "content": answers}},
        openapi_extra={
            STREAMED: True,
            "requestBody": {
                "required": True,
                "content": {"application/x-ndjson": {"schema": lines, "example": example % commands[0].name}},
            },
        },
    )
    async def backfill(request: Request, me: Annotated[CallerInCommunity, Depends(MAY)]) -> Response:
        add_to_list(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in MEDIA_TYPES:
            raise UnsupportedMedia("Send lines of JSON, as `Content-Type: application/x-ndjson`.")
        runtime = context.runtime_of(request)
        quota = Quota(runtime.engine, me.caller, LINES, runtime.settings.import_lines, block=BLOCK)

        async def ask_again() -> CallerInCommunity:
            return await MAY(request, await authenticate(request), str(me.community.id))

        processor = LineProcessor(runtime, me, by_name, ask_again)
        return Exchange(processor, quota, slots=slots, stop=lambda: runtime.draining.is_set() or processor.dismissed)

    return router
