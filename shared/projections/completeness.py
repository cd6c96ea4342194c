"""Up to when a view holds everything: the newest time at which it had come as far as the logs that it reads.

Where a view has reached the heads of a partition that are known here, that is their time. Where it has not, it is the
last time it is known to have been complete (`watermark.caught_up_at`): of heads that it had reached, or of the last
event that it folded, since what was acknowledged before that was recorded stands before it. (An event is recorded when
its transaction begins: one that began before may stand behind it.)

Times are those of the logs' databases. They are compared with this database's clock alone, and no closer than
`GUILDHALL_CLOCK_BOUND`; a time that lies ahead of it is from before it was set back, and tells nothing.
"""

from __future__ import annotations

_REACHED = """
select case when at <= clock_timestamp() then at end as at
from (select case when w.position >= h.positions[w.partition + 1] then h.at else w.caught_up_at end as at
      from watermark w left join log_head h on h.source = w.source
      where w.view = '{view}' and w.source = '{source}') known
"""
_REACHED_OF_OWN = """
select case when w.position >= p.position then clock_timestamp() else l.recorded_at end as at
from log_partition p
join watermark w on w.partition = p.id and w.view = '{view}' and w.source = '{source}'
left join log l on l.partition = p.id and l.position = w.position + 1
"""
_AGE = """
select case when count(at) >= {partitions} then extract(epoch from clock_timestamp() - min(at))::float8 end as age
from ({reached}) reached
"""

NEVER = float("-inf")
"""The time at which a view was complete of which that is not known."""


def age_sql(view: str, source: str, partitions: str, *, own: bool = False) -> str:
    """A query of one row, `age`: how many seconds ago the view was complete in all partitions, null where nobody knows.

    `partitions` is the expression for how many there are; `own` says that the source's log lies in the same database.
    """
    reached = _REACHED_OF_OWN if own else _REACHED
    return _AGE.format(partitions=partitions, reached=reached.format(view=view, source=source))


def complete_at(asked: float, age: float | None) -> float:
    """The monotonic time at which a view was complete whose age was answered to a question put at `asked`."""
    return NEVER if age is None else asked - age
