"""An import in phases: first all is read, then each kind goes out once what it refers to is in."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.importers.answers import Answer, Problem
from deploy.importers.client import Guildhall, ImportStopped
from deploy.importers.dump import Dump
from deploy.importers.references import References
from deploy.importers.report import ImportReport
from deploy.importers.sites import site_of
from deploy.importers.stackexchange import CHANNEL_NAME, CHANNELS, PHASES, Line, StackExchange, Told

Witness = Callable[[Line, Answer], None]
"""Told of every line and its answer, in the order of the dump within each phase."""


def silent(activity: str, done: int, total: int | None) -> None:
    """The progress that nobody watches."""


async def import_dump(
    dump: Dump,
    guildhall: Guildhall,
    community: str,
    *,
    name: str,
    language: str = "en",
    site: str | None = None,
    progress: Told = silent,
    witness: Witness = lambda line, answer: None,
) -> ImportReport:
    """Bring a Stack Exchange dump into the community with that slug, which is founded if it is missing.

    `site` names the site that the dump is of; without it, it is found out. Safe to repeat at any time: every id derives
    from the dump's and the site's. Raises `DumpError` before anything is sent, and `ImportStopped`.
    """
    began = time.monotonic()
    with References() as references:
        source = StackExchange(dump, references, site)
        census = source.survey(progress)
        founded = await guildhall.found(community, name, language)
        report = ImportReport(community, founded, census)
        await _open_channel(guildhall, community, source, report)
        for phase in PHASES:
            activity, total, done = f"sending {phase.kinds}", census.lines[phase.kind], 0
            progress(activity, 0, total)
            async for answers in guildhall.send(community, phase.service, source.lines(phase)):
                for line, answer in answers:
                    if line.kind == "member" and answer.status == "rejected":
                        source.refuse(line)
                    report.add(line, answer)
                    witness(line, answer)
                done += len(answers)
                progress(activity, done, total)
    report.seconds = time.monotonic() - began
    return report


async def _open_channel(guildhall: Guildhall, community: str, source: StackExchange, report: ImportReport) -> None:
    """Each site has its own; one that is there already is left as it stands, since it may have been renamed here."""
    channels = [] if report.founded else await guildhall.channels(community)
    names = {site: channel.name for channel in channels if (site := site_of(channel.purpose))}
    if others := sorted(names.keys() - {source.site}):
        source.channel_name = names.get(str(source.site), f"{CHANNEL_NAME} ({source.site})")
        report.census.remarks.append(
            f"{community} already holds another site ({', '.join(others)}); this one ({source.site}) is kept apart, "
            f"in the channel {source.channel_name}."
        )
    if source.site in names:
        return
    async for answers in guildhall.send(community, CHANNELS.service, source.lines(CHANNELS)):
        for _, answer in answers:
            if answer.status == "rejected":
                why = (answer.problem or Problem()).why
                raise ImportStopped(f"The channel for the threads was refused: {why}")
