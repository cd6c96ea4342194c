"""The views: each has a watermark for all it reads, none is ahead of its source or long behind, nothing is parked."""

from __future__ import annotations

from deploy.operations.findings import Finding, broken, ok, places, warning
from deploy.operations.service_under_check import ServiceUnderCheck
from shared.projections.generations import NEXT

SILENT = 5.0
"""Seconds without heads of a log that are more than the loss of a few."""
SLOW, STILL = 5.0, 30.0
"""Seconds the oldest event that is not folded may wait, and that it may wait for a reader that works."""

HEADS = "select source, extract(epoch from clock_timestamp() - at)::float8 as age from log_head"
PARKED = """
select view, count(*) filter (where position > 0) as events, count(*) filter (where position < 1) as notes,
       (array_agg(source || '/' || partition || '/' || position order by parked_at))[1] as first
from parked group by view order by view
"""


async def watermarks(of: ServiceUnderCheck) -> Finding:
    """No view holds more than its source has, none is missing a mark, no token is from a time to come."""
    check = "watermarks"
    rows = of.marks
    ahead = [
        f"{r['view']} at {r['source']}/{r['partition']}/{r['position']} of {of.heads[r['source']][r['partition']]}"
        for r in rows
        if r["source"] in of.heads and r["partition"] < len(of.heads[r["source"]])
        and r["position"] > of.heads[r["source"]][r["partition"]]
    ]  # fmt: skip
    if ahead:
        return broken(
            check,
            of.name,
            f"Views hold events that the log has not ({places(ahead)}): its database was restored from an older state.",
            f"guildhall recover {ahead[0].split()[-3].split('/')[0]} puts back what the topic has. Where it has not, "
            f"rebuild each: guildhall rebuild {of.name} {ahead[0].split()[0]} --accept-difference",
        )
    future = [f"{r['view']} {r['source']}/{r['partition']}" for r in rows if r["future"]]
    if future:
        return broken(
            check,
            of.name,
            f"Marks were moved in a time to come ({places(future)}): the database's clock was set back, and a token "
            "may be given out twice.",
            "Set the clock right by NTP; the marks are sound again once it has passed them.",
        )
    shorter = [
        f"{r['view']} {r['source']}/{r['partition']}"
        for r in rows
        if r["kafka_offset"] is not None
        and r["source"] in of.ends
        and r["partition"] < len(of.ends[r["source"]])
        and r["kafka_offset"] >= of.ends[r["source"]][r["partition"]]
    ]
    if shorter:
        return warning(
            check,
            of.name,
            f"Topics end before what views have read of them ({places(shorter)}): they were made anew.",
            "Nothing, if the relay is filling them again: readers find their place by position. Else look at `topic`.",
        )
    there = {(r["view"], r["source"], r["partition"]) for r in rows}
    never = [
        f"{view.name} of {source}"
        for view in of.service.views
        for source in view.sources
        if not any((view.name, source, p) in there for p in range(of.settings.partitions))
    ]
    if never:
        return warning(
            check, of.name, f"Never read yet: {places(never)}. Their answers are empty.",
            f"Start a worker: guildhall run {of.name} --only worker",
        )  # fmt: skip
    declared = {view.name for view in of.service.views}
    left = sorted({r["view"] for r in rows} - declared)
    if left:
        rebuilt = [name.removesuffix(NEXT) for name in left if name.endswith(NEXT)]
        return warning(
            check,
            of.name,
            f"Marks of views that are none now: {places(left)}. A rebuild is under way or was broken off, or a view "
            "was taken out of the program.",
            f"If no rebuild runs: guildhall rebuild {of.name} {rebuilt[0]}" if rebuilt
            else f"Once that is sure, delete their rows: table watermark, view {left[0]}.",
        )  # fmt: skip
    return ok(check, of.name, f"{len(rows)} marks, none ahead of its source.")


async def heads(of: ServiceUnderCheck) -> Finding:
    """Of every log that its views read it is known how far it is."""
    check = "heads"
    known = {row["source"]: row["age"] for row in await of.database.fetch(HEADS)}
    sources = [source for source in of.service.topics if source != of.name]
    silent = [source for source in sources if known.get(source, SILENT + 1) > SILENT]
    if not silent:
        return ok(check, of.name, f"{len(sources)} other logs say how far they are.")
    words = places([f"{source} for {known[source]:.0f} s" if source in known else source for source in silent])
    return broken(
        check,
        of.name,
        f"Nobody says how far logs are: {words}. Answers do not know what they lack, and who would be refused for what "
        "is not known is told 503.",
        f"Workers say it: look at `service` and `broker` of {silent[0]} and {of.name}; a topic of heads that is "
        f"missing is made by guildhall topics. Nothing is said of a log that is not known to agree with its topic "
        "(`log and topic`), and nothing heard from a clock that is ahead by more than the bound (`database clocks`).",
    )


async def behind(of: ServiceUnderCheck) -> Finding:
    """No view lacks an event for long."""
    check = "views"
    own = [stage for lag in of.lag.services for stage in lag.stages if stage.reader.startswith(f"{of.name}.")]
    late = sorted((s for s in own if (s.age or 0.0) > SLOW), key=lambda s: s.age or 0.0, reverse=True)
    if not late:
        return ok(check, of.name, f"{len({s.reader for s in own})} views, none behind for more than {SLOW:.0f} s.")
    words = places([f"{s.reader} lacks {s.events:,} events, the oldest for {s.age:.0f} s" for s in late])
    if (late[0].age or 0.0) > STILL:
        return broken(
            check,
            of.name,
            f"Answers are out of date: {words}.",
            f"Look at `leases`, `service` and `broker`, and at `guildhall logs {of.name}`; a position that is missing "
            "is named by /readyz as degraded.",
        )
    return warning(check, of.name, f"Answers are a little out of date: {words}.", "guildhall lag --watch")


async def parked(of: ServiceUnderCheck) -> Finding:
    """Nothing was set aside."""
    check = "parked"
    rows = await of.database.fetch(PARKED)
    events = [r for r in rows if r["events"]]
    if events:
        words = places([f"{r['events']} of {r['view']}, first {r['first']}" for r in events])
        view, first = events[0]["view"], events[0]["first"]
        return broken(
            check,
            of.name,
            f"Events could not be folded and are missing from answers: {words}.",
            f"See why: guildhall parked show {of.name} {view} {first}. Once the cause is mended: "
            f"guildhall parked replay {of.name} {view}",
        )
    if rows:
        words = places([f"{r['notes']} for {r['view']}" for r in rows])
        return warning(
            check,
            of.name,
            f"Records on a topic were no events of ours, and are noted: {words}. No answer lacks anything.",
            f"Find out who writes to the topic; then: guildhall parked dismiss {of.name} {rows[0]['view']} "
            f"{rows[0]['first']}",
        )
    return ok(check, of.name, "Nothing is parked.")
