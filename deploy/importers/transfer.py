"""An import in phases: first all is read, then each kind goes out once what it refers to is in."""

from __future__ import annotations

import time
from collections.abc import Callable

from deploy.importers.client import Answer, Guildhall, ImportStopped
from deploy.importers.dump import Dump
from deploy.importers.references import References
from deploy.importers.report import ImportReport
from deploy.importers.stackexchange import CHANNELS, PHASES, Line, StackExchange, Told

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
    progress: Told = silent,
    witness: Witness = lambda line, answer: None,
) -> ImportReport:
    """Bring a Stack Exchange dump into the community with that slug, which is founded if it is missing.

    Safe to repeat at any time: every id derives from the dump's. Raises `DumpError` before anything is sent, and
    `ImportStopped`.
    """
    began = time.monotonic()
    with References() as references:
        source = StackExchange(dump, references)
        census = source.survey(progress)
        founded = await guildhall.found(community, name, language)
        report = ImportReport(community, founded, census)
        async for answers in guildhall.send(community, CHANNELS.service, source.lines(CHANNELS)):
            for _, answer in answers:
                if answer.status == "rejected":
                    raise ImportStopped(f"The channel for the threads was refused: {answer.problem}")
        for phase in PHASES:
            activity, total, done = f"sending {phase.kinds}", census.lines[phase.kind], 0
            progress(activity, 0, total)
            async for answers in guildhall.send(community, phase.service, source.lines(phase)):
                for line, answer in answers:
                    report.add(line, answer)
                    witness(line, answer)
                done += len(answers)
                progress(activity, done, total)
    report.seconds = time.monotonic() - began
    return report
