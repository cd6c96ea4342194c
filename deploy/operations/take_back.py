"""Takes back what views of a service made of events that `guildhall recover` sets aside.

Such an event stood in the log until then, so views that read the log may have folded it, and changes cannot be undone
one by one. A view that had passed one of them is emptied and fills itself again from the beginning; until then its
answers say that it is behind. Process managers read topics, on which such an event never was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.db import Driver
from shared.projections.generations import following
from shared.projections.read_model import ReadModel
from shared.projections.sql import quoted

MARKS = "select view, partition, position from watermark where source = $1 order by view, partition for update"
BEGIN_ANEW = """
update watermark set position = 0, kafka_offset = null, caught_up_at = null, moved_at = now() where view = $1
"""
READ_AGAIN = "update watermark set moved_at = now() where source = $1 and partition = any($2::smallint[])"
UNPARK = "delete from parked where view = $1"
THERE = "select to_regclass($1) is not null"


async def take_back(log: Driver, views: Sequence[ReadModel], service: str, common: Mapping[int, int]) -> list[str]:
    """Within the transaction that sets aside what is behind `common`, a position by partition of the log.

    Answers the names of the views that fill themselves again.
    """
    passed = {
        row["view"]
        for row in await log.fetch(MARKS, service)
        if row["position"] > common.get(row["partition"], row["position"])
    }
    # Who has read such an event and not written yet finds its marks moved, and reads again what is there then.
    await log.execute(READ_AGAIN, service, list(common))
    emptied = []
    # A rebuild under way writes a second generation of its view; it goes on from the beginning, too.
    generations = [*views, *map(following, views)]
    for view in generations:
        if view.name not in passed:
            continue
        await log.execute(BEGIN_ANEW, view.name)
        await log.execute(UNPARK, view.name)
        for table in view.tables:
            name = quoted(table.name + view.generation)
            if await log.fetchval(THERE, name):
                await log.execute(f"truncate {name}")
        emptied.append(view.name)
    return emptied
